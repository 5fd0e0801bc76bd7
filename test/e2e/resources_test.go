package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// shortage is a host that lacks something.
type shortage struct {
	root   string           // options of the tmpfs that credentials_dir is
	full   bool             // and it is full
	builds string           // options of the tmpfs that builds_dir is, read-only
	claims map[string]int64 // of the ID token: seconds from now
	reason string           // GitLab's
	log    []string         // regular expressions
}

func shortages() map[string]shortage {
	const system = "runner_system_failure"
	return map[string]shortage{
		"no room for credentials": {
			root: "size=64k", full: true, reason: system,
			log: []string{`rolecall: error \[RC5\d\d\]: .*ROOT/.*: no space left on device`},
		},
		"no inode for credentials": {
			root: "nr_inodes=2", reason: system,
			log: []string{`rolecall: error \[RC5\d\d\]: .*ROOT/.*: no space left on device`},
		},
		"builds_dir is read-only": {
			builds: "size=64k", reason: system,
			log: []string{`rolecall: error \[RC5\d\d\]: .*BUILDS.*: read-only file system`},
		},
		"the clock is behind": {
			claims: map[string]int64{"iat": 600, "nbf": 595, "exp": 4200}, reason: system,
			log: []string{`rolecall: error \[RC5\d\d\]: the ID token is not yet valid: the clock of the runner's host is (5[5-9][0-9]|600) s behind that of http.*; check NTP`},
		},
		"the clock is ahead": {
			claims: map[string]int64{"iat": -1200, "nbf": -1205, "exp": -600}, reason: "script_failure",
			log: []string{`rolecall: error \[RC102\]: .*the ID token expired at .*the clock of the runner's host is ahead: check NTP`},
		},
	}
}

// short is a job on a host that lacks something.
type short struct {
	shortage
	*coordinator.Run
	name, token, dir, policy, rootDir, buildsDir string
}

// TestResources runs jobs on hosts that lack something: none starts its script, each
// log says what is missing and where, and no part of anything is left.
func TestResources(t *testing.T) { //nolint:tparallel // the jobs run at the same time anyway
	t.Parallel()
	p := newIsolatedWorld(t)
	var jobs []*short
	var runners []lab.Runner
	for name, s := range shortages() {
		job := p.newShort(t, s, name, len(jobs))
		jobs = append(jobs, job)
		runners = append(runners, lab.Runner{Name: "short", Token: job.token, Args: []string{"--config", job.policy}})
	}
	startRunner(t, lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: p.gitlab.URL(), Runners: runners,
		Env: []string{"AWS_ENDPOINT_URL_STS=" + p.recorder.URL(), "AWS_REGION=eu-central-1"},
	})
	for _, s := range jobs {
		job := p.alpha("echo THE SCRIPT RUNS")
		job.MutateClaims = func(claims map[string]any) {
			for name, seconds := range s.claims {
				claims[name] = time.Now().Unix() + seconds
			}
		}
		s.Run = p.gitlab.Enqueue(s.token, job)
	}
	for _, s := range jobs {
		t.Run(s.name, s.check)
	}
	if issued := p.recorder.Issued(); len(issued) > 0 {
		t.Errorf("STS has issued %d credentials", len(issued))
	}
}

// newShort makes a host.
func (p *policyWorld) newShort(t *testing.T, s shortage, name string, n int) *short {
	t.Helper()
	j := &short{shortage: s, name: name, token: fmt.Sprintf("glrt-%08dshort", n), dir: filepath.Join(p.dir, fmt.Sprint(n))}
	j.policy, j.buildsDir, j.rootDir = j.dir+".toml", j.dir+"builds", fmt.Sprintf("%s.%d", p.credentials(), n)
	t.Cleanup(func() { _ = os.RemoveAll(j.rootDir) })
	p.rewrite(t, j.policy, p.credentials(), j.rootDir, filepath.Join(p.dir, "builds"), j.buildsDir, p.audit(), j.dir+".jsonl")
	if s.root != "" {
		mountTmpfs(t, j.rootDir, "mode=0700,"+s.root, 0)
	}
	if s.full {
		fill(t, j.rootDir)
	}
	if s.builds != "" {
		mountTmpfs(t, j.buildsDir, "mode=0711,"+s.builds, syscall.MS_RDONLY)
	}
	return j
}

// mountTmpfs makes dir a tmpfs.
func mountTmpfs(t *testing.T, dir, options string, flags uintptr) {
	t.Helper()
	if err := os.Mkdir(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("SKIPPED, no full and no read-only disks, as this host lets nobody mount one: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// fill writes to the file system of dir until it is full.
func fill(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
}

// check waits for the job's end and looks at what it says and leaves.
func (s *short) check(t *testing.T) {
	if result := wait(t, s.Run); result.FailureReason != s.reason {
		t.Errorf("%+v, want %s", result, s.reason)
	}
	for _, pattern := range s.log {
		pattern = strings.NewReplacer("ROOT", regexp.QuoteMeta(s.rootDir), "BUILDS", regexp.QuoteMeta(s.buildsDir)).Replace(pattern)
		if !regexp.MustCompile(pattern).MatchString(kit.Flat(s.Text())) {
			t.Errorf("no %s in the log:\n%s", pattern, s.Text())
		}
	}
	if strings.Contains(s.Text(), "THE SCRIPT RUNS") {
		t.Error("the script ran")
	}
	entries, err := os.ReadDir(s.rootDir)
	if err != nil {
		t.Error(err)
	}
	for _, entry := range entries {
		if entry.Name() != "keys" && entry.Name() != "tries" && entry.Name() != "filler" && !strings.HasPrefix(entry.Name(), "keys-") {
			t.Errorf("%s is left in credentials_dir", entry.Name())
		}
	}
	left, err := filepath.Glob(filepath.Join(s.buildsDir, "*/*/*/*/*/*/*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left in builds_dir, %v", left, err)
	}
}

// scarce is a prepare_exec that lets prepare open few files, then one more, until it
// succeeds, and tells after each how it ended and what secrets it has left. Where there
// are too few for Go itself, that says so; an error like the one before is one line.
const scarce = `#!/bin/bash
for n in {6..64}; do
  (ulimit -n $n; exec %[1]q "$@") > %[2]q/out 2>&1
  code=$?
  [ $code = 0 ] && exit 0
  echo "limit $n: code $code, left $(find %[2]q/root -name '*.env' -o -name 'issued.*' 2> /dev/null | wc -l), $(grep -m1 -E ': too many open files|has crashed|like the one before .RC501' %[2]q/out)"
done
exit 1
`

// TestFewFiles: whatever file is the first that prepare is not allowed to open, it is a
// system failure without a secret left, and clean-up finds the rest.
func TestFewFiles(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	programs, err := lab.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	dir := p.credentials() + ".few"
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	wrapper, policy := filepath.Join(dir, "prepare"), filepath.Join(p.dir, "few.toml")
	if err := os.Mkdir(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(wrapper, fmt.Appendf(nil, scarce, programs.Prepare, dir), 0o700); err != nil {
		t.Fatal(err)
	}
	p.rewrite(t, policy, p.credentials(), filepath.Join(dir, "root"))
	startRunner(t, lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: p.gitlab.URL(),
		Env: []string{"AWS_ENDPOINT_URL_STS=" + p.recorder.URL(), "AWS_REGION=eu-central-1"},
		Runners: []lab.Runner{{
			Name: "few", Token: "glrt-few000001", Args: []string{"--config", policy}, Driver: lab.Driver{Prepare: []string{wrapper}},
		}},
	})
	log := p.succeed(t, "glrt-few000001", p.alpha(p.s3("put alpha few files")))
	failures := regexp.MustCompile(`(?m)^limit \d+: code.*`).FindAllString(log, -1)
	if len(failures) < 3 {
		t.Errorf("%d failures; log:\n%s", len(failures), log)
	}
	for _, line := range failures {
		if !regexp.MustCompile(`code 2, left 0, .`).MatchString(line) {
			t.Error(line)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "root", "[0-9]*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}
