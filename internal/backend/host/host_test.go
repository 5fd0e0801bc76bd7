package host_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/script"
	"rolecall/test/kit"
)

// asOwn is the data of a job whose scripts are the driver's own user's.
const asOwn = `{"as_root":true}`

// asAda is that of a job of another user.
const asAda = `{"user":{"name":"ada","uid":61001,"gid":61002,"groups":[61002,61003],"home":"/home/ada","shell":"/bin/zsh"},"temp":"/b/a/protected.tmp"}`

func TestDescribe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		spec backend.Spec
		want backend.Description
	}{
		{backend.Spec{}, backend.Description{Shell: "bash", Shared: true}},
		{backend.Spec{Folder: "a/protected", BuildsDir: "/b", CacheDir: "/c"}, backend.Description{Shell: "bash", Shared: true, BuildsDir: "/b/a/protected", CacheDir: "/c/a/protected"}},
		{backend.Spec{Folder: "a/protected", CacheDir: "/c"}, backend.Description{Shell: "bash", Shared: true, CacheDir: "/c/a/protected"}},
	}
	for _, test := range tests {
		if got, err := host.New().Describe(test.spec); err != nil || got != test.want {
			t.Errorf("Describe(%+v) = %+v, %v, want %+v", test.spec, got, err, test.want)
		}
	}
}

// TestPlace: what a job of the driver's own user needs is where its cgroup is.
func TestPlace(t *testing.T) {
	t.Parallel()
	b := host.New()
	b.Ready()
	state, owner, err := b.Place(t.Context(), backend.Spec{AsRoot: true, Limits: backend.Limits{OpenFiles: 9}})
	if err != nil || owner != nil || state.Backend != "host" || state.Backend != b.Name() {
		t.Errorf("Place = %+v, %v, %v", state, owner, err)
	}
	for _, want := range []string{`"as_root":true`, `"open_files":9`} {
		if !strings.Contains(string(state.Data), want) {
			t.Errorf("the data are %s, want %s in it", state.Data, want)
		}
	}
	if strings.Contains(string(state.Data), `"user"`) {
		t.Errorf("the data name a user: %s", state.Data)
	}
}

// TestPlaceRefuses: whom and what the admin has to correct.
func TestPlaceRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		runAs string
		want  string
	}{
		{"nosuch", `user "nosuch"`},
		{"root", `user "root"`},
		{"../root", `want a name`},
	}
	for _, test := range tests {
		state, owner, err := host.New().Place(t.Context(), backend.Spec{RunAs: test.runAs, BuildsDir: "/none/such", Folder: "a/b"})
		if err == nil || !strings.Contains(err.Error(), test.want) || fault.SideOf(err) != fault.Admin || owner != nil || state.Backend != "" {
			t.Errorf("%q: %+v, %v, %v, want %q", test.runAs, state, owner, err, test.want)
		}
	}
}

// TestEnviron: all but the level of the shell is the service's, and nearly nothing
// where the job has a user. Who the user is says the host; the tenant's HOME goes first.
func TestEnviron(t *testing.T) {
	t.Parallel()
	service := []string{"PATH=/bin", "SHLVL=3", "HOME=/root", "TOKEN=x", "LC_ALL=C"}
	tests := []struct {
		data string
		want []string
	}{
		{asOwn, []string{"PATH=/bin", "HOME=/root", "TOKEN=x", "LC_ALL=C", "SHLVL=1"}},
		{
			strings.Replace(asOwn, "{", `{"login":{"name":"bob","home":"/home/bob","shell":"/bin/dash"},`, 1),
			[]string{"PATH=/bin", "TOKEN=x", "LC_ALL=C", "HOME=/root", "USER=bob", "LOGNAME=bob", "SHELL=/bin/dash", "SHLVL=1"},
		},
		{
			strings.Replace(asOwn, "{", `{"home":"/b/h","login":{"name":"bob","home":"/home/bob","shell":"/sbin/nologin"},`, 1),
			[]string{"PATH=/bin", "TOKEN=x", "LC_ALL=C", "HOME=/b/h", "USER=bob", "LOGNAME=bob", "SHELL=/bin/sh", "SHLVL=1"},
		},
		{strings.Replace(asAda, "{", `{"home":"/b/h",`, 1), []string{"PATH=/bin", "LC_ALL=C", "HOME=/b/h", "USER=ada", "LOGNAME=ada", "SHELL=/bin/zsh", "TMPDIR=/b/a/protected.tmp", "SHLVL=1"}},
		{asAda, []string{"PATH=/bin", "LC_ALL=C", "HOME=/home/ada", "USER=ada", "LOGNAME=ada", "SHELL=/bin/zsh", "TMPDIR=/b/a/protected.tmp", "SHLVL=1"}},
	}
	for _, test := range tests {
		if got, err := host.New().Environ(json.RawMessage(test.data), service); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v, want %q", test.data, got, err, test.want)
		}
	}
}

// TestBadData: with data that say nothing, or that name no user where the driver is
// root, nothing starts, whatever is asked.
func TestBadData(t *testing.T) {
	t.Parallel()
	tests := map[string]string{"": "cannot be read from its record", "[]": "cannot be read from its record"}
	if os.Geteuid() == 0 {
		tests["{}"] = "names no unix user, and its scripts would be root's"
	}
	for data, want := range tests {
		b, data := host.New(), json.RawMessage(data)
		_, environ := b.Environ(data, nil)
		_, ran := b.Run(t.Context(), data, backend.Script{Path: "/dev/null"})
		_, begun := b.Begin(data, 7)
		_, limits := b.Limits(data)
		_, leavings := b.Leavings(data, nil)
		if reaped := b.Reap(t.Context(), data, 7); string(data) != "{}" && (fault.CodeOf(reaped) != fault.LeftBehind || !strings.Contains(reaped.Error(), "then remove its folder")) {
			t.Errorf("Reap with data %q: %v", data, reaped)
		}
		for what, err := range map[string]error{"Environ": environ, "Run": ran, "Begin": begun, "Start": b.Start(data, exec.Command("true")), "Limits": limits, "Leavings": leavings} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s with data %q: %v, want %q", what, data, err, want)
			}
		}
	}
}

// TestStart: a program of the driver starts as a script does: as the job's user, in the
// job's cgroup, and with no way to more rights.
func TestStart(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) { // what is taken from a thread never comes back
		return
	}
	id := job.ID(1<<46 + int64(os.Getpid()))
	data, group := groupsOf(t, id)
	data = json.RawMessage(strings.Replace(string(data), "{", strings.TrimSuffix(asAda, "}")+",", 1))
	b := host.New()
	end, err := b.Begin(data, id)
	kit.Must(t, err)
	cmd := exec.Command("cat", "/proc/self/status", "/proc/self/cgroup")
	var out strings.Builder
	cmd.Stdout = &out
	kit.Must(t, b.Start(data, cmd))
	kit.Must(t, cmd.Wait())
	kit.Must(t, end())
	for _, want := range []string{
		"Uid:\t61001\t61001\t61001\t61001\n", "Gid:\t61002\t61002\t61002\t61002\n", "Groups:\t61002 61003 \n", "NoNewPrivs:\t1\n",
		"CapBnd:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "/" + filepath.Base(group) + "\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
}

// TestStartAsOwn: a program of a job of the driver's user runs with that user's rights.
func TestStartAsOwn(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	cmd := exec.Command("id", "-u")
	var out strings.Builder
	cmd.Stdout = &out
	kit.Must(t, host.New().Start(json.RawMessage(asOwn), cmd))
	if err := cmd.Wait(); err != nil || out.String() != fmt.Sprintln(os.Geteuid()) {
		t.Errorf("%q, %v", &out, err)
	}
}

// TestLimits: the limits of a job are those of its record.
func TestLimits(t *testing.T) {
	t.Parallel()
	want := backend.Limits{OpenFiles: 7, Processes: 8, Memory: 9}
	if got, err := host.New().Limits(json.RawMessage(`{"as_root":true,"limits":{"open_files":7,"processes":8,"memory":9}}`)); err != nil || got != want {
		t.Errorf("Limits = %+v, %v, want %+v", got, err, want)
	}
}

// TestSamePaths: a script sees this host as it is.
func TestSamePaths(t *testing.T) {
	t.Parallel()
	if tree, err := host.New().Tree(nil, "/b/p"); err != nil || tree != "/b/p" {
		t.Errorf("Tree = %q, %v", tree, err)
	}
	if path := host.New().Visible(nil, "/run/x"); path != "/run/x" {
		t.Errorf("Visible = %q", path)
	}
}

// TestReap: a job without a cgroup has nothing to kill, and neither has one whose
// cgroup is gone.
func TestReap(t *testing.T) {
	t.Parallel()
	for data, want := range map[string]string{
		`{}`:                                    "",
		`{"cgroup":"/sys/fs/cgroup/none/such"}`: "",
		`{"cgroup":"/proc","user":{"uid":61001}}`: "/proc: not a cgroup",
		``: "the place of the job cannot be read from its record",
	} {
		err := host.New().Reap(t.Context(), json.RawMessage(data), 7)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", data, err, want)
		}
	}
}

// TestStartup: who has ended the shell is named by how far it has read the script.
func TestStartup(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, home string
		ended      script.Result
		want       string
	}{
		{"", "/root", script.Result{Read: script.Unread}, "a profile has ended the login shell before it read the script: exit code 0, of the service's user; correct /etc/profile, a file in /etc/profile.d, or the first that exists of /root/.bash_profile, "},
		{"ada", "/home/ada", script.Result{Read: script.Barred, Code: 1}, `the script did not begin: a profile has made a variable read-only: exit code 1, of user "ada"; remove the word readonly, or declare -r, of that variable from /etc/profile, a file in`},
		{"ada", "/home/ada", script.Result{Read: script.Barred, Code: 137}, ""},
		{"", "", script.Result{Read: script.AllRead, Code: 3}, "remove //.bash_logout"},
		{"ada", "/home/ada", script.Result{Read: script.AllRead, Code: 3}, `the logout file of the login shell then failed: exit code 3, of user "ada"; remove /home/ada/.bash_logout`},
		{"ada", "/home/ada", script.Result{Read: script.AllRead}, ""},
		{"ada", "/home/ada", script.Result{Read: script.Begun, Code: 3}, ""},
	}
	for _, test := range tests {
		err := host.Startup(test.name, test.home, test.ended)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || fault.SideOf(err) != fault.Admin) {
			t.Errorf("%q, %+v: %v, want %q", test.name, test.ended, err, test.want)
		}
	}
}
