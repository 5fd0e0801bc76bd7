package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// Users that every Debian has, who stand for those of tenants.
const (
	alphaUser = "www-data"
	betaUser  = "backup"
	noUser    = "list"
)

// newIsolatedWorld starts a world in which each tenant has a unix user, as its own
// runner's admin would set it up.
func newIsolatedWorld(t *testing.T) *policyWorld {
	t.Helper()
	kit.NeedRoot(t, "run jobs as other users")
	dir, err := os.MkdirTemp("/tmp", "isolated") //nolint:usetesting // users must be able to pass through it
	if err == nil {
		err = os.Chmod(dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	p := &policyWorld{&world{gitlab: startGitLab(t)}, dir, filepath.Join(dir, "rolecall.toml")}
	p.places = []string{filepath.Join(dir, "builds"), filepath.Join(dir, "cache"), p.credentials()}
	t.Cleanup(func() { p.checkLines(t) })
	p.startMinIO(t)
	text := strings.Replace(p.policyText(), "shared_user = \"unsafe\"\nrun_as_root = \"unsafe\"", fmt.Sprintf("run_as = %q\ncredentials_dir = %q", noUser, p.credentials()), 1)
	text = strings.Replace(text, `name = "alpha"`, fmt.Sprintf("name = \"alpha\"\nmax_open_files = 777\nrun_as = %q", alphaUser), 1)
	text = strings.Replace(text, `name = "beta"`, fmt.Sprintf("name = \"beta\"\nrun_as = %q", betaUser), 1)
	p.write(t, text)
	p.start(t, p.recorder.URL(), lab.Runner{Name: "shared", Token: sharedToken, Args: []string{"--config", p.policy}})
	t.Cleanup(func() { _ = os.RemoveAll(p.credentials()) })
	return p
}

// credentials is the credentials_dir, on a tmpfs.
func (p *policyWorld) credentials() string { return "/dev/shm/" + filepath.Base(p.dir) }

// TestIsolationIdentity: every script of a job runs as its tenant's user, with
// nothing of the driver's, and works as it does on any other runner.
func TestIsolationIdentity(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	who := `echo "$STAGE: $(id -un) $(id -G) $(grep -E '^(NoNewPrivs|CapEff|CapBnd)' /proc/self/status | tr -s '\n\t' ' ') $(umask) $(pwd)"; tty || true; ls /proc/self/fd | tr '\n' ' '`
	job := p.alpha("STAGE=script; "+who, "cat README.md", p.s3("put alpha key text"), `echo out > /dev/stdout; echo err > /dev/stderr`,
		`cat "$FILE"; echo fine > out.txt; mktemp; echo "files: $(ulimit -n)"`)
	job.AfterScript = []string{"STAGE=after; " + who}
	job.Hooks = map[string][]string{"pre_get_sources_script": {"STAGE=hook; " + who}}
	job.Variables = append(job.Variables, coordinator.Variable{Key: "FILE", Value: "the file variable\n", File: true})
	job.Artifacts = []coordinator.Artifact{{Paths: []string{"out.txt"}}}
	job.Cache = []coordinator.Cache{{Paths: []string{"out.txt"}}}
	run := p.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	const none = "0000000000000000"
	for _, stage := range []string{"hook", "script", "after"} {
		contains(t, run.Text(), stage+": "+alphaUser+" 33 CapEff: "+none+" CapBnd: "+none+" NoNewPrivs: 1")
	}
	contains(t, run.Text(), filepath.Join(p.dir, "builds/alpha/protected")+"/", "not a tty", "files: 777", "the file variable", "out\n", "err\n",
		filepath.Join(p.dir, "builds/alpha/protected.tmp")+"/tmp.")
	if uploads := run.Artifacts(); len(uploads) != 1 {
		t.Errorf("%d uploads", len(uploads))
	}
	// The gate works for another user's files too.
	leaky := p.alpha("env > env.txt")
	leaky.Artifacts = []coordinator.Artifact{{Paths: []string{"env.txt"}}}
	run = p.enqueue(sharedToken, leaky)
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("%+v, %d uploads", result, len(run.Artifacts()))
	}
	contains(t, run.Text(), `"env.txt": ID token, access key id, secret access key, session token`)
	// It looks as that user, who can open less than root.
	linked := p.alpha(`ln -s "$(dirname "$ROLECALL_ENV_FILE")/../issued.json" report.json`)
	linked.Artifacts = []coordinator.Artifact{{Type: "codequality", Format: "raw", Paths: []string{"report.json"}}}
	run = p.enqueue(sharedToken, linked)
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("%+v, %d uploads", result, len(run.Artifacts()))
	}
	contains(t, run.Text(), "not all that would be uploaded can be searched", `"report.json": permission denied`)
	// And a job of no tenant is of no tenant's user.
	nobody := coordinator.Job{Project: coordinator.Project{ID: 43, Path: "acme/other"}, Script: []string{"id -un"}}
	contains(t, p.succeed(t, sharedToken, nobody), "\n"+noUser+"\n")
	p.checkNothingLeft(t)
}

// spy is the script of a neighbour that looks for what a job has whose script
// sleeps meanwhile. It says REACHED where it gets at something.
const spy = `
try() { if "$@" > /dev/null 2>&1; then echo "REACHED: $*"; fi; }
me=$(id -u)
for p in /proc/[0-9]*; do
  uid=$(stat -c %%u "$p" 2> /dev/null) || continue
  [ "$uid" = "$me" ] && continue
  pid=${p#/proc/}
  case $(tr '\0' ' ' < "$p/cmdline" 2> /dev/null) in *%[1]s*|*gitlab-runner*|*bin/run*|*sleep\ 0.7531*) ;; *) continue ;; esac
  seen=$((seen + 1))
  for file in environ mem maps fd/0 fd/1 cwd/. root/etc/passwd; do try head -c 1 "$p/$file"; done
  try ls "$p/fd"
  try kill -0 "$pid"
done
echo "saw $seen processes"
for path in %[2]s; do
  try cat "$path"; try ls "$path/."; try touch "$path/x"; try mv "$path" "$path.x"
done
try find %[3]s -mindepth 1 -name '.aws*'
find / -xdev \( -name 'response.json' -o -name '.aws.alpha.env' -o -path '*/script*/script.*' -o -name issued.json \) -readable 2> /dev/null | while read -r f; do
  grep -q -a -e "alpha" "$f" 2> /dev/null && echo "REACHED: $f"; done || true
echo "end of the search"
`

// TestIsolationNeighbours: while a job of alpha sleeps with its credentials, a job
// of beta on the same runner gets at nothing of it.
func TestIsolationNeighbours(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	sleeping := p.alpha(`echo "in $ROLECALL_ENV_FILE."; cat "$FILE" > /dev/null; while true; do echo tick; sleep 0.7531; done`)
	sleeping.Variables = append(sleeping.Variables, coordinator.Variable{Key: "FILE", Value: "alpha's\n", File: true})
	victim := p.enqueue(sharedToken, sleeping)
	if err := victim.WaitLog(t.Context(), "in /dev/shm"); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(victim.Text(), "\nin ")
	envFile, _, _ := strings.Cut(rest, ".\n")
	if _, err := os.Stat(envFile); err != nil {
		t.Fatalf("the env file %q of the job that sleeps: %v", envFile, err)
	}
	paths := strings.Join([]string{
		envFile, filepath.Dir(envFile), filepath.Join(filepath.Dir(envFile), "../issued.json"), filepath.Join(filepath.Dir(envFile), "../job.json"),
		filepath.Join(p.dir, "builds/alpha/protected"), filepath.Join(p.dir, "builds/alpha/protected.tmp"), filepath.Join(p.dir, "cache/alpha/protected"),
		p.credentials(), p.runner.TempDir, p.policy, p.audit(),
	}, " ")
	log := p.succeed(t, sharedToken, p.beta(fmt.Sprintf(spy, p.dir, paths, p.dir)))
	contains(t, log, "end of the search")
	if strings.Contains(log, "\nREACHED") || strings.Contains(log, "saw  processes") {
		t.Errorf("the neighbour's log:\n%s", log)
	}
	victim.Abort()
	if result := wait(t, victim); result.State == "success" {
		t.Errorf("%+v", result)
	}
	p.waitCleaned(t, envFile)
	p.checkNothingLeft(t)
}

// waitCleaned waits until the runner has cleaned up after a job.
func (p *policyWorld) waitCleaned(t *testing.T, envFile string) {
	t.Helper()
	for range 1000 {
		if _, err := os.Stat(envFile); os.IsNotExist(err) {
			return
		}
		pause()
	}
	t.Errorf("%s is still there", envFile)
}

// pause waits for a moment.
func pause() { time.Sleep(10 * time.Millisecond) }
