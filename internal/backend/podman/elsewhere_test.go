package podman_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend/podman"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestReapElsewhere: of a record that names another folder than one of a job's containers,
// nothing is removed.
func TestReapElsewhere(t *testing.T) {
	if !kit.InUnified(t, "the end of a job in a container") {
		return
	}
	p := newJob(t, unique(4741), nil)
	data, dir := p.data, podman.DirOf(p.data)
	for _, other := range []string{filepath.Join(p.dir, "kept"), strings.TrimPrefix(filepath.Join(p.dir, ".jobs", "kept"), "/")} {
		kit.Must(t, os.MkdirAll("/"+strings.TrimPrefix(other, "/"), 0o700))
		p.data = json.RawMessage(strings.ReplaceAll(string(data), `"`+dir+`"`, `"`+other+`"`))
		if podman.DirOf(p.data) != other {
			t.Fatalf("%s", p.data)
		}
		t.Chdir("/")
		if err := p.reap(); err == nil || !strings.Contains(err.Error(), other+" is no folder of a job's containers") {
			t.Errorf("%s: %v", other, err)
		}
		if _, err := os.Stat("/" + strings.TrimPrefix(other, "/")); err != nil {
			t.Error(err)
		}
	}
	p.data = data
	kit.Must(t, p.reap())
}

// TestTidyOtherFolder: of a folder whose note is that of another job only the folder goes, and
// the other job lives on.
func TestTidyOtherFolder(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	p := newJob(t, unique(4742), nil)
	kit.Must(t, os.Mkdir(p.dir+"/store", 0o700))
	p = p.withImage()
	kit.Must(t, p.build())
	content, err := os.ReadFile(p.note())
	kit.Must(t, err)
	p.ages(2 * time.Minute)
	other := filepath.Join(filepath.Dir(podman.DirOf(p.data)), "other")
	kit.Must(t, os.Mkdir(other, 0o711))
	kit.Must(t, os.WriteFile(filepath.Join(other, filepath.Base(p.note())), content, 0o600))
	then := time.Now().Add(-2 * time.Minute)
	kit.Must(t, os.Chtimes(filepath.Join(other, filepath.Base(p.note())), then, then))
	if n := p.tidy(func(string, job.ID) (json.RawMessage, error) { return p.data, nil }); n != 1 {
		t.Errorf("%d folders are removed", n)
	}
	if _, err := os.Lstat(other); err == nil {
		t.Error("the other folder is left")
	}
	if o := p.run("build_script", "echo lives", nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "lives\n") {
		t.Errorf("the job: %+v", o)
	}
	kit.Must(t, p.reap())
}
