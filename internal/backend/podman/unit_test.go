package podman_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend/podman"
	"rolecall/internal/retention"
	"rolecall/test/kit"
)

// bounded returns a command that starts a program with the capabilities that the unit of the
// sweep has.
func bounded(t *testing.T) []string {
	t.Helper()
	unit, err := os.ReadFile("../../../systemd/rolecall-sweep.service")
	kit.Must(t, err)
	_, rest, found := strings.Cut(string(unit), "\nCapabilityBoundingSet=")
	names, _, _ := strings.Cut(rest, "\n")
	if !found || !strings.Contains(string(unit), "\nNoNewPrivileges=yes\n") {
		t.Fatal("the unit says nothing of capabilities")
	}
	set := "-all"
	for name := range strings.FieldsSeq(names) {
		set += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
	}
	return []string{"setpriv", "--no-new-privs", "--bounding-set", set, "--inh-caps", "-all"}
}

// TestInUnit: with the capabilities of its unit, a sweep can remove images and what broken pulls
// have left, and give back the files of a dead job.
func TestInUnit(t *testing.T) {
	if isPlan(t) || !kit.InUnified(t, "what the unit of the sweep may do") {
		return
	}
	r := newRegistry(t)
	push(t, r, "ci/a:1", 1<<20)
	pushLayers(t, r, "ci/b:1", 1)
	gone := pulled(t, r, nil, 4791, "ci/a:1")
	id := gone.uses()[0]
	kit.Must(t, gone.reap())
	dead := pulled(t, r, gone, 4792, "ci/b:1")
	kit.Must(t, breakOff(t, r, dead, 4793, "ci/broken:1").reap())
	prunes := dead.does(plan{Prunes: &retention.Order{Dir: dead.images(), Rule: unused(), Wait: time.Minute}}, bounded(t)...)
	if err := prunes.Wait(); err != nil || dead.has(id) || !dead.isWhole(2) {
		t.Errorf("the prune: %v, the image is there: %v, layers: %+v\n%s", err, dead.has(id), dead.recorded(), prunes.says.String())
	}
	file := dead.slot() + "/file"
	kit.Must(t, os.WriteFile(file, nil, 0o600))
	kit.Must(t, os.Chown(file, int(firstOf(t, dead)), int(firstOf(t, dead))))
	kit.Must(t, os.WriteFile(podman.DirOf(dead.data)+"/lent", nil, 0o600))
	dead.agesAll()
	tidies := dead.does(plan{Tidies: dead.images()}, bounded(t)...)
	if err := tidies.Wait(); err != nil {
		t.Errorf("the removal of what a job left: %v\n%s", err, tidies.says.String())
	}
	if uids := dead.owners(); len(uids) != 1 || uids[65534] == 0 {
		t.Errorf("files of uids %v, want those of the job's user only", uids)
	}
	dead.checkNothing("the unit")
}
