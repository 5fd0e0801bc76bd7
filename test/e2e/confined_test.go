package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/cgroup"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// TestGateConfined: the gate, which opens what a job has made, has no more rights than a
// script of the job: user, capabilities, cgroup and limits are those of scripts.
func TestGateConfined(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	leaky := p.alpha("truncate -s 4G big.bin; env > env.txt")
	leaky.Artifacts = []coordinator.Artifact{{Paths: []string{"big.bin", "env.txt"}}}
	run := p.enqueue(sharedToken, leaky)
	want := []string{"Uid:\t33\t33\t33\t33\n", "Groups:\t33 \n", "NoNewPrivs:\t1\n", "CapBnd:\t0000000000000000\n", "Max open files            777                  777 "}
	if parent, err := cgroup.Own(); err == nil {
		parent.Close()
		want = append(want, fmt.Sprintf("/rolecall-%d-", run.ID()))
	}
	seen := ""
	kit.Await(t, "the gate with the rights of a script", func() bool {
		seen = p.gate(t)
		for _, text := range want {
			if !strings.Contains(seen, text) {
				return false
			}
		}
		return true
	})
	if result := wait(t, run); result.FailureReason != "script_failure" {
		t.Errorf("%+v; the gate had\n%s", result, seen)
	}
	contains(t, run.Text(), `"env.txt": ID token, access key id, secret access key, session token`)
}

// gate returns what /proc shows of a gate that runs for this world, empty if none does.
func (p *policyWorld) gate(t *testing.T) string {
	t.Helper()
	programs, err := filepath.Glob("/proc/[0-9]*/exe")
	kit.Must(t, err)
	for _, exe := range programs {
		path, _ := os.Readlink(exe)
		environ, _ := os.ReadFile(filepath.Join(filepath.Dir(exe), "environ"))
		if filepath.Base(path) != "gate" || !strings.Contains(string(environ), p.dir) {
			continue
		}
		text := ""
		for _, name := range []string{"status", "cgroup", "limits"} {
			content, _ := os.ReadFile(filepath.Join(filepath.Dir(exe), name))
			text += string(content)
		}
		return text
	}
	return ""
}

// TestClosedFolders: what a job closes to its own user does not stop the next job in the
// same folder, and the log says what was done.
func TestClosedFolders(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.succeed(t, sharedToken, p.alpha("mkdir -p shut/in half/in; touch shut/in/file half/in/file; chmod 000 shut/in shut; chmod 500 half/in half; chmod 000 .git/objects"))
	p.settle(t)
	log := p.succeed(t, sharedToken, p.alpha("ls -d shut half || echo both are gone"))
	contains(t, log, "rolecall: an earlier job has closed 5 folders of the work tree to its own user; they are open again\n", "both are gone\n")
	p.checkNothingLeft(t)
}

// TestPlantedFolders: what a job puts in the place of the folders of the runner, or among its
// temporary files, does not stop the next job in the same folder, and the log says what was
// done.
func TestPlantedFolders(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	const fifos = " FIFOs in the work tree, or links to FIFOs, which this job would wait at; they are removed\n"
	const temp, said = "$CI_PROJECT_DIR.tmp", "rolecall: an earlier job has put something in the place of the folder "
	for plant, want := range map[string]string{
		"rm -rf " + temp + "; touch " + temp:                                                                           said,
		"rm -rf " + temp + "; mkfifo " + temp:                                                                          said,
		"rm -rf " + temp + "; ln -s /root " + temp:                                                                     said,
		"cd /; mv $CI_PROJECT_DIR ~/moved; ln -s ~/none $CI_PROJECT_DIR":                                               said,
		"slot=$(dirname $(dirname $CI_PROJECT_DIR)); mv $slot ~/slot; touch $slot":                                     said,
		"cd " + temp + "; mkfifo SETTINGS":                                                                             "",
		"cd " + temp + "; rm -f gitlab_runner_env; mkdir -p SETTINGS/x gitlab_runner_env masking.db; chmod 0 SETTINGS": "",
		"cd " + temp + "; ln -s none SETTINGS; chmod 0 .":                                                              "",
		"cd " + temp + "; rm -rf git-template; touch git-template":                                                     "",
		"cd .git; rm -f HEAD; mkfifo HEAD packed-refs refs/fifo .gitmodules":                                           fifos,
		"cd .git; mkfifo ~/fifo; ln -sf ~/fifo HEAD":                                                                   fifos,
		"cd .git; mkfifo config.fifo; ln -sf config.fifo config; chmod 0 .":                                            fifos,
		"mkfifo .gitattributes .gitmodules":                                                                            fifos,
	} {
		p.settle(t)
		run := p.enqueue(sharedToken, p.alpha("mkdir -p "+temp, plant, "echo planted"))
		wait(t, run) // it may be in its own way
		contains(t, run.Text(), "\nplanted")
		p.settle(t)
		job := p.alpha(`cat "$SETTINGS"`, `echo X=1 >> "$GITLAB_ENV"`, "ls -d $CI_PROJECT_DIR/.git")
		job.Variables = append(job.Variables, coordinator.Variable{Key: "SETTINGS", Value: "the settings\n", File: true})
		contains(t, p.succeed(t, sharedToken, job), want, "the settings\n")
	}
	p.checkNothingLeft(t)
}

// TestPlantedCaches: what a job leaves in the place of its cache does not stop the next job that
// has the same cache, and the log says what was done.
func TestPlantedCaches(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	cached := func(said string) {
		job := p.alpha("date > kept")
		job.Cache, job.Timeout = []coordinator.Cache{{Key: "k", Paths: []string{"kept"}}}, time.Minute
		contains(t, p.succeed(t, sharedToken, job), said, "\nCreated cache\n")
		p.settle(t)
	}
	cached("Checking cache for k")
	find := "zip=$(find " + filepath.Join(p.dir, "cache/alpha/protected") + " -name cache.zip); "
	for _, plant := range []string{
		"rm $zip; mkfifo $zip; chmod 0 ${zip%/*}",
		"mkfifo ~/cache; ln -sf ~/cache $zip",
	} {
		contains(t, p.succeed(t, sharedToken, p.alpha(find+plant, "echo planted")), "\nplanted\n")
		p.settle(t)
		cached("rolecall: an earlier job has left 1 FIFOs in the caches, or links to FIFOs, which this job would wait at; they are removed\n")
	}
	p.checkNothingLeft(t)
}
