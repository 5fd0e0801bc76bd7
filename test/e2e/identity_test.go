package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// whose are lines of a script that print the identity that it has.
const whose = `echo "keys of <${AWS_ACCESS_KEY_ID:-nobody}>, profile <$AWS_PROFILE>, metadata off <$AWS_EC2_METADATA_DISABLED>"`

// TestHomeOfTrustClass: what an unprotected job leaves in its HOME does not run in a
// protected job of the tenant, nor in a job of no tenant; it does in the next of its own.
func TestHomeOfTrustClass(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.succeed(t, sharedToken, p.beta(`echo 'echo "the profile of a job runs"; export AWS_PROFILE=planted' > ~/.bash_profile`, `echo "home $HOME"`, "git config --global user.name x"))
	next := p.succeed(t, sharedToken, p.beta(whose, "git config --global user.name"))
	protected := p.beta(whose, p.s3("ls beta"))
	protected.Protected = true
	none := coordinator.Job{Project: coordinator.Project{ID: 43, Path: "other/project"}, Script: []string{whose, `echo "home $HOME"`}}
	contains(t, next, "the profile of a job runs", "\nx\n", "profile <>")
	for _, log := range []string{p.succeed(t, sharedToken, protected), p.succeed(t, sharedToken, none)} {
		contains(t, log, "profile <>, metadata off <true>")
		if strings.Contains(log, "the profile of a job runs") {
			t.Errorf("it runs in:\n%s", log)
		}
	}
	p.checkNothingLeft(t)
}

// TestNothingIsKept: what aws configure and docker login write goes with the job, also if a
// job of no tenant follows.
func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	keep := []string{
		`mkdir -p "$(dirname "$AWS_SHARED_CREDENTIALS_FILE")" "$DOCKER_CONFIG"`,
		`printf '[default]\naws_access_key_id=%s\naws_secret_access_key=%s\naws_session_token=%s\n' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" > "$AWS_SHARED_CREDENTIALS_FILE"`,
		`printf '{"auths":{"x":{"auth":"%s"}}}' "$(printf 'AWS:%s' "$AWS_SESSION_TOKEN" | base64 -w0)" > "$DOCKER_CONFIG/config.json"`,
		`mkdir -p "$DOCKER_CONFIG/many"; (cd "$DOCKER_CONFIG/many"; for i in $(seq 100); do mkdir $(seq -f "$i-%g" 20); done)`,
	}
	byHand := filepath.Join("/tmp", filepath.Base(p.dir)+"-by-hand")
	t.Cleanup(func() { _ = os.Remove(byHand) })
	job := p.alpha(append(keep, `mkdir -p ~/.aws; cp "$AWS_SHARED_CREDENTIALS_FILE" ~/.aws/credentials; echo "$AWS_SECRET_ACCESS_KEY" > `+byHand, `echo "$AWS_SESSION_TOKEN" > $(mktemp); echo fine > ~/fine`)...)
	run := p.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	p.awaitKinds(t, run, "decision issued copies_removed ended")
	places := fmt.Sprint(p.events(t, run)[2]["places"])
	contains(t, places, byHand+" kind:secret access key]", "builds/alpha/protected.home/.aws/credentials kind:", "builds/alpha/protected.tmp/tmp.")
	if _, err := os.Lstat(byHand); !os.IsNotExist(err) {
		t.Errorf("%s: %v", byHand, err)
	}
	if _, err := os.Lstat(filepath.Join(p.dir, "builds/alpha/protected.home/fine")); err != nil {
		t.Error(err)
	}
	if log := p.runner.Log(); strings.Count(log, "the job left a copy of its credentials, which is removed") != 3 {
		t.Error("the runner's log does not name the three copies")
	}
	p.succeed(t, sharedToken, p.beta(keep...))
	log := p.succeed(t, sharedToken, coordinator.Job{
		Project: coordinator.Project{ID: 43, Path: "other/project"},
		Script:  []string{whose, `ls -lA "$DOCKER_CONFIG" "$(dirname "$AWS_CONFIG_FILE")" ~/.aws ~/.docker 2>/dev/null | grep -c config || true`},
	})
	contains(t, log, "keys of <nobody>", "\n0\n")
	if left, err := filepath.Glob(filepath.Join(p.dir, "builds/*/*.own/*")); err != nil || len(left) > 0 {
		t.Errorf("left are %v, %v", left, err)
	}
	p.checkNothingLeft(t)
}

// TestProfileOfHost: keys that a profile of the host exports are those of no job.
func TestProfileOfHost(t *testing.T) {
	t.Parallel()
	if !onHost(t) {
		return
	}
	const profile = "export AWS_ACCESS_KEY_ID=AKIAHOST AWS_SECRET_ACCESS_KEY=host AWS_PROFILE=host AWS_EC2_METADATA_DISABLED=false HOST_PROFILE=read\n"
	if err := os.WriteFile("/etc/profile.d/host.sh", []byte(profile), 0o644); err != nil {
		t.Fatal(err)
	}
	p := newIsolatedWorld(t)
	alpha := p.alpha(whose, `echo "host profile $HOST_PROFILE"`, p.s3("put alpha key text"), "! "+p.s3("ls beta"))
	alpha.AfterScript = []string{whose}
	contains(t, p.succeed(t, sharedToken, alpha), "keys of <[MASKED]>, profile <>, metadata off <true>", "host profile read")
	none := coordinator.Job{Project: coordinator.Project{ID: 43, Path: "other/project"}, Script: []string{whose}}
	none.AfterScript = []string{whose}
	log := p.succeed(t, sharedToken, none)
	if n := strings.Count(log, "\nkeys of <nobody>, profile <>, metadata off <true>"); n != 2 {
		t.Errorf("%d scripts of a job of no tenant have no identity, want 2:\n%s", n, log)
	}
}

// TestServiceWithoutHome: systemd gives a service of root no HOME; scripts have one.
func TestServiceWithoutHome(t *testing.T) {
	t.Parallel()
	gitlab := startGitLab(t)
	startRunner(t, lab.RunnerOptions{
		Dir: t.TempDir(), Coordinator: gitlab.URL(), Env: []string{"HOME=", "USER=", "LOGNAME=", "SHELL="},
		Runners: []lab.Runner{{Name: "self", Token: "glrt-self000001", Args: lab.AsRoot()}, {Name: "other", Token: "glrt-other00001", Args: lab.NoPolicy()}},
	})
	for _, token := range []string{"glrt-self000001", "glrt-other00001"} {
		run := gitlab.Enqueue(token, coordinator.Job{Project: coordinator.Project{ID: 42, Path: "acme/deploy"}, Script: []string{
			`git config --global --get none.such || echo "git says $?"`,
			`[ "$USER $LOGNAME" = "$(id -un) $(id -un)" ] && [ "$HOME" = "$(getent passwd "$(id -u)" | cut -d: -f6)" ] && [ -x "$SHELL" ] && echo as the host knows it`,
		}})
		if result := wait(t, run); result.State != "success" {
			t.Fatalf("%+v; log:\n%s", result, run.Text())
		}
		contains(t, run.Text(), "git says 1", "\nas the host knows it")
	}
}
