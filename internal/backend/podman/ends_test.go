package podman_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// endTime is how long a job may take to end when a part of it is killed.
const endTime = 10 * time.Second

// storm is a script that starts processes which ignore SIGTERM, and shows that it has begun.
func (p *placed) storm(marker string) string {
	return `trap "" TERM; touch ` + p.slot() + `/began; (while :; do (sleep ` + marker + ` &); sleep 0.05; done) & sleep ` + marker + `; echo late`
}

// TestPartDies: whatever part of a job is killed while a storm of processes runs, the job ends
// in time, no exit code is made up, and nothing of it is left.
func TestPartDies(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "the end of jobs in containers") {
		return
	}
	for victim, want := range map[string]struct {
		code int
		err  string
	}{
		"podman":      {0, "podman was killed before the script ended"},
		"conmon":      {0, "the container engine ended before the script: the monitor of the container (conmon) was killed"},
		"podman-init": {137, ""}, // the first process of the container: all others die with it
	} {
		p := built(t, unique(4741), nil)
		marker := fmt.Sprintf("1474%d", os.Getpid())
		killed := make(chan time.Time, 1)
		go func() { killed <- p.kill(victim) }()
		o := p.run("build_script", p.storm(marker), nil)
		at := <-killed
		if took := time.Since(at); at.IsZero() || took > endTime || o.Code != want.code || !strings.Contains(o.Err, want.err) || (o.Err == "") != (want.err == "") {
			t.Errorf("%s is killed at %v: %+v after %v, want code %d and %q", victim, at, o, took, want.code, want.err)
		}
		if left, _ := exec.Command("pgrep", "-f", "sleep "+marker).Output(); len(left) > 0 {
			t.Errorf("%s is killed: processes are left: %s", victim, left)
		}
		kit.Must(t, p.reap())
		p.checkNothing(victim + " is killed")
	}
}

// kill kills a process of the job when its script has begun, and returns when that was.
func (p *placed) kill(name string) time.Time {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if pid := p.living()[name]; pid != "" && podmanBegan(p) {
			if exec.Command("kill", "-9", pid).Run() == nil {
				return time.Now()
			}
		}
	}
	return time.Time{}
}

// TestHoldDies: the process that keeps the network of a job with services is killed. The
// script goes on, the next one finds that the network is gone, and nothing is left.
func TestHoldDies(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "the end of jobs in containers") {
		return
	}
	p := newJob(t, unique(4742), withServices("none", web("80", "one", "db"))).withImage()
	kit.Must(t, p.build())
	killed := make(chan time.Time, 1)
	go func() {
		killed <- p.kill("sleep")
		_ = os.WriteFile(p.slot()+"/end", nil, 0o600)
	}()
	if o := p.run("build_script", "touch "+p.slot()+"/began; until [ -e "+p.slot()+"/end ]; do usleep 50000; done; wget -q -O - http://db; exit 7", nil); o.Code != 7 || o.Err != "" || !strings.HasPrefix(o.stdout, "one\n") {
		t.Errorf("%+v, want code 7", o)
	}
	if (<-killed).IsZero() {
		t.Error("the process that keeps the network was not seen")
	}
	if o := p.run("after_script", "echo no", nil); !strings.Contains(o.Err, "the network of the job is gone") || o.stdout == "no\n" {
		t.Errorf("the next script: %+v", o)
	}
	kit.Must(t, p.reap())
	p.checkNothing("the hold is killed")
}

// TestRuntimeDies: a runtime that is killed, or that fails, while it starts the container is
// the engine's failure, and not that of the image.
func TestRuntimeDies(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "the end of jobs in containers") {
		return
	}
	for _, verb := range []string{"create", "start"} {
		for how, does := range map[string]string{"is killed": "kill -9 $$", "fails": "echo 'crun: no space left on device' >&2; exit 1"} {
			p := built(t, unique(4743), nil)
			back := p.replace("/usr/bin/crun", `#!/bin/bash
for word; do [ "$word" != `+verb+` ] || { `+does+`; }; done
exec ORIGINAL "$@"
`)
			o := p.run("build_script", "echo ran", nil)
			back()
			if !strings.Contains(o.Err, "podman did not start the container of the job: it ended with 125") || strings.HasPrefix(o.stdout, "ran") {
				t.Errorf("%s %s: %+v", verb, how, o)
			}
			kit.Must(t, p.reap())
			p.checkNothing(verb + " " + how)
		}
	}
}

// replace puts a script in the place of a program, for this mount namespace.
func (p *placed) replace(program, text string) (back func()) {
	p.t.Helper()
	content, err := os.ReadFile(program)
	kit.Must(p.t, err)
	original, replaced := filepath.Join(p.dir, "original"), filepath.Join(p.dir, "replaced")
	for path, content := range map[string]string{original: string(content), replaced: strings.ReplaceAll(text, "ORIGINAL", original)} {
		kit.Must(p.t, os.WriteFile(path, []byte(content), 0o600))
		kit.Must(p.t, os.Chmod(path, 0o755))
	}
	kit.Must(p.t, unix.Mount(replaced, program, "", unix.MS_BIND, ""))
	return func() { kit.Must(p.t, unix.Unmount(program, 0)) }
}

// TestHookDestroys: a hook on the host, which runs as the tenant's user, kills the services of
// its job and removes all that it can reach. Its own job fails, and says so. Nothing is left,
// and a job of another tenant on the same host is not harmed.
func TestHookDestroys(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "hooks of authors") {
		return
	}
	p := newJob(t, unique(4744), withServices("none", web("80", "one", "db"))).withImage()
	kit.Must(t, p.build())
	other := newJobIn(t, p.dir, unique(4745), ofBeta).withImage()
	kit.Must(t, other.build())
	dir := podman.DirOf(p.data)
	kit.Must(t, os.WriteFile(p.dir+"/kept", nil, 0o600))
	const kills = `for d in /proc/[0-9]*; do grep -q rolecall-ID- $d/cgroup && [ "${d#/proc/}" != $$ ] && kill -9 ${d#/proc/}; done 2>/dev/null; `
	for what, script := range map[string]string{
		"the engine root":   "rm -rf " + dir + "/root/* " + dir + "/run/*",
		"all of images_dir": "rm -rf " + p.images() + "/* " + p.images() + "/.[a-z]* " + p.images() + "/alpha/protected/* " + dir + "/*/*",
		"links":             "rm -rf " + dir + "/root/*; mkdir " + dir + "/root/overlay; ln -s /etc " + dir + "/root/overlay-containers; ln -s " + p.dir + "/kept " + dir + "/root/overlay/x; ln -s /etc/passwd " + dir + "/tmp/service0.log",
	} {
		o := p.run("get_sources", strings.ReplaceAll(kills, "ID", p.id.String())+script+" 2>/dev/null; exit 0", nil)
		if o.Code != 0 || o.Err != "" {
			t.Errorf("%s: the hook: %+v", what, o)
		}
		o = p.run("build_script", "echo ran", nil)
		t.Logf("%s: %+v", what, o)
		if o.Err == "" || strings.HasPrefix(o.stdout, "ran") {
			t.Errorf("%s: %+v", what, o)
		}
		kit.Must(t, p.reap())
		if o := other.run("build_script", "echo ran", nil); o.Code != 0 || o.Err != "" {
			t.Errorf("%s: a job of another tenant: %+v", what, o)
		}
		p.makeOwn()
		err := p.withImage().build()
		t.Logf("%s: the next job: %s %v", what, fault.CodeOf(err), err)
	}
	kit.Must(t, p.reap())
	kit.Must(t, other.reap())
	p.checkNothing("a hook")
	if _, err := os.Stat(p.dir + "/kept"); err != nil {
		t.Errorf("what a link leads to: %v", err)
	}
}

// TestBrokenRecord: a job whose record cannot be read is ended, with its services, by its
// cleanup stage and the sweeps after it.
func TestBrokenRecord(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "what containers leave") {
		return
	}
	reap := backend.Reap([]backend.Reaper{podman.New(host.New())})
	for name, record := range map[string]string{
		"no JSON":        `{"version":3,"backend":"podm`,
		"no backend":     `{"version":3,"tenant":"alpha"}`,
		"no data":        `{"version":3,"tenant":"alpha","backend":"podman"}`,
		"data of others": `{"version":3,"tenant":"alpha","backend":"podman","data":{"podman":7}}`,
	} {
		p := newJob(t, unique(4746), withServices("none", web("80", "one", "db"))).withImage()
		folder := filepath.Join(p.dir, "store", p.id.String())
		kit.Must(t, os.MkdirAll(folder, 0o700))
		kit.Must(t, os.WriteFile(filepath.Join(folder, "job.json"), []byte(record), 0o600))
		kit.Must(t, p.build())
		err := apart(func() error {
			_, err := state.Finish(t.Context(), p.dir+"/store", job.Key{ID: p.id, Proof: p.dir}, reap, nil)
			return err
		})
		t.Logf("%s: %v", name, err)
		p.agesAll()
		p.tidy(state.DataOf)
		p.checkNothing(name)
		if _, err := os.Stat(folder); err == nil {
			t.Errorf("%s: the record is left", name)
		}
	}
}
