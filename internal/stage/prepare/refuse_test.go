package prepare_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/program"
	"rolecall/test/kit"
)

// refusal is a job that is refused before the provider is asked.
type refusal struct {
	change func(t *testing.T, c *call)
	code   int
	want   string // how the error begins
}

// checkRefused checks that nothing was asked for, printed or left.
func checkRefused(t *testing.T, name string, c *call, test refusal) {
	t.Helper()
	test.change(t, c)
	got := c.serve()
	if got.code != test.code || got.out != "" || !strings.HasPrefix(got.log, "rolecall: error "+strings.ReplaceAll(test.want, "DIR", c.dir)) {
		t.Errorf("%s: %+v, want exit code %d with %q", name, got, test.code, test.want)
	}
	if left := c.left(); len(c.cloud.asked) > 0 || len(left) > 0 {
		t.Errorf("%s: the provider was asked %d times, left %q", name, len(c.cloud.asked), left)
	}
}

// editing returns a change of a file of the host, of which config is told.
func editing(name, from, to string) func(*testing.T, *call) {
	return func(t *testing.T, c *call) {
		t.Helper()
		c.edit(t, name, from, to)
		c.tell(t, program.Flags{Config: c.file("rolecall.toml")})
	}
}

// setting returns a change of the environment.
func setting(entries ...string) func(*testing.T, *call) {
	return func(_ *testing.T, c *call) {
		for _, entry := range entries {
			c.set(strings.Replace(entry, "=DIR/", "="+c.dir+"/", 1))
		}
	}
}

// TestCall: what is wrong with the call of the stage, or with the files of the admin.
func TestCall(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	for name, test := range map[string]refusal{
		"response": {func(t *testing.T, c *call) { kit.Must(t, os.Remove(c.file("response.json"))) }, 2, "[RC500]: JOB_RESPONSE_FILE: "},
		"no policy file": {
			func(t *testing.T, c *call) { kit.Must(t, os.Remove(c.file("rolecall.toml"))) }, 1,
			"[RC303]: policy file: DIR/rolecall.toml",
		},
		"broken policy file": {func(t *testing.T, c *call) { c.write(t, "rolecall.toml", "x") }, 1, "[RC303]: policy file: DIR/rolecall.toml"},
		"tenant of the runner": {
			func(_ *testing.T, c *call) { c.args = append(c.args, "--tenant", "A b") }, 1,
			"[RC301]: --tenant: ",
		},
		"other flags": {
			func(_ *testing.T, c *call) { c.args = append(c.args, "--tenant", "alpha") }, 1,
			"[RC302]: the config stage was started with other flags than this stage; give",
		},
		"config has not run": {setting("ROLECALL_FLAGS="), 1, "[RC302]: the config stage has not said how it was started"},
		"changed policy": {
			func(t *testing.T, c *call) { c.edit(t, "rolecall.toml", "[gate]", "# changed\n[gate]") }, 2,
			"[RC500]: the policy file changed after the config stage had read it",
		},
		"no folder of jobs": {setting("ROLECALL_STORE=DIR/none"), 2, "[RC500]: DIR/none: no such file or directory"},
		"no file of keys": {
			editing("rolecall.toml", "[gate]", "jwks_file = \"/none\"\n[gate]"), 1,
			"[RC303]: gitlab.jwks_file: /none: ",
		},
		"no CA bundle": {
			editing("rolecall.toml", "[gate]", "ca_bundle = \"/none\"\n[gate]"), 1,
			"[RC303]: gitlab.ca_bundle: /none: ",
		},
	} {
		checkRefused(t, name, newCall(t, newHost(t, gitlab)), test)
	}
}

// TestNoRoot: without a word of the config stage, and where no root can be made, the stage
// fails before it decides anything.
func TestNoRoot(t *testing.T) {
	if !kit.InMounts(t, "read-only disks") {
		return
	}
	c := newCall(t, newHost(t, newGitLab(t)))
	c.unset("ROLECALL_STORE")
	for _, dir := range []string{"/run", "/dev/shm", "/var/tmp"} {
		kit.Mount(t, dir, "size=8k", syscall.MS_RDONLY)
	}
	checkRefused(t, "no root", c, refusal{func(*testing.T, *call) {}, 2, "[RC501]: /var/tmp/rolecall-0: read-only file system"})
}

// TestJob: what is wrong with a job. Its refusal is in the audit log.
func TestJob(t *testing.T) {
	t.Parallel()
	gitlab, forger := newGitLab(t), newGitLab(t)
	const notOfJob = "[RC102]: ALPHA_TOKEN is not an ID token of this job: "
	for name, test := range map[string]refusal{
		"token of another job": {func(_ *testing.T, c *call) { c.set("CUSTOM_ENV_ALPHA_TOKEN=" + c.token("8")) }, 1, notOfJob + `its claim job_id is "8"`},
		"not a token":          {setting("CUSTOM_ENV_ALPHA_TOKEN=x"), 1, notOfJob},
		"forged token": {func(_ *testing.T, c *call) {
			parts, forged := strings.Split(c.token("7"), "."), strings.Split(forger.SignToken(map[string]any{}), ".")
			c.set("CUSTOM_ENV_ALPHA_TOKEN=" + parts[0] + "." + parts[1] + "." + forged[2])
		}, 1, notOfJob + "its signature "},
		"no token":           {setting("CUSTOM_ENV_ALPHA_TOKEN="), 1, `[RC101]: tenant "alpha": the job has no ID token in ALPHA_TOKEN`},
		"a tenant of nobody": {setting("CUSTOM_ENV_TENANT=beta"), 1, `[RC104]: `},
		"a rule": {editing("rolecall.toml", `"acme/deploy"`, `"acme/other"`), 1, `[RC103]: tenant "alpha" refuses this job: rule projects; choose the tenant of the project, or ask the runner's admin
  rule       the project is not one of the tenant's
  this job   project "acme/deploy"`},
		"another folder": {
			setting("CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=DIR/builds/none/protected/deploy.tmp"), 2,
			"[RC500]: the job works in another folder than that of its tenant: the config stage read another ID token or another policy file\n  folder     \"DIR/builds/none/protected/deploy.tmp\", and not in DIR/builds/alpha/protected/",
		},
		"override": {setting("CUSTOM_ENV_AWS_PROFILE=x"), 1, "[RC106]: variables of the job would override its tenant's credentials; "},
		"region":   {setting("CUSTOM_ENV_AWS_REGION=x y"), 1, `[RC105]: tenant "alpha": "x y" is not an AWS region`},
	} {
		c := newCall(t, newHost(t, gitlab))
		checkRefused(t, name, c, test)
		if events := c.events(t); len(events) != 1 || events[0].Event != "decision" || *events[0].Allowed {
			t.Errorf("%s: the audit log has %+v", name, events)
		}
	}
}

// TestUser: a job that would run as root, which its admin has not asked for, is
// refused; and a driver that is not root runs nothing as root.
func TestUser(t *testing.T) {
	t.Parallel()
	gitlab := newGitLab(t)
	if os.Geteuid() == 0 && !kit.IsChild(t) {
		const want = "[RC305]: the runner's service is root, and the scripts of this job would be root's"
		checkRefused(t, "no user", newCall(t, newHost(t, gitlab)), refusal{editing("rolecall.toml", "run_as_root = \"unsafe\"\n", ""), 1, want})
		c := newCall(t, newHost(t, gitlab))
		checkRefused(t, "no user, no policy", c, refusal{func(t *testing.T, c *call) {
			c.args = []string{"--no-policy"}
			c.tell(t, program.Flags{NoPolicy: true})
		}, 1, want})
		if !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}) {
			return
		}
	}
	c := newBareCall(newHost(t, gitlab)) // another user reads no policy file below kit.OpenDir
	checkRefused(t, "root", c, refusal{func(t *testing.T, c *call) {
		c.args = []string{"--no-policy", "--run-as", "root"}
		c.tell(t, program.Flags{NoPolicy: true, RunAs: program.Root})
	}, 1, "[RC301]: --run-as root: the runner's service is not root"})
}
