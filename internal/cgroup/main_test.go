package cgroup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// variant is a way to kill that some hosts offer.
type variant struct {
	kind cgroup.Kind
	slow bool // without cgroup.kill
}

// each runs a test for each variant, all at once.
func each(t *testing.T, test func(t *testing.T, v variant)) {
	t.Helper()
	for name, v := range map[string]variant{
		"v2": {cgroup.V2, false}, "v2 before 5.14": {cgroup.V2, true}, "v1": {cgroup.V1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}

// last is the id of the last job. Two test processes use different ids.
var last atomic.Int64

func newJob() cgroup.Name {
	return cgroup.NameOf(int64(os.Getpid())*1_000_000+last.Add(1), "00000000000000ab")
}

// own returns the test's own cgroup, or skips the test if there is none.
func own(t testing.TB, kind cgroup.Kind) *cgroup.Parent {
	t.Helper()
	kit.NeedRoot(t, "groups of other users")
	p, err := cgroup.OwnOf(kind)
	if err != nil && able(t, kind) && (errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), "CLONE_INTO_CGROUP")) {
		t.Fatalf("a group can be made: %v", err)
	}
	if err != nil {
		t.Skipf("NOT TESTED, this host lacks %s: %v", kind, err)
	}
	t.Cleanup(p.Close)
	return p
}

// able reports whether a group can be made in this process's cgroup, where hosts have it.
func able(t testing.TB, kind cgroup.Kind) bool {
	t.Helper()
	groups, err := os.ReadFile("/proc/self/cgroup")
	kit.Must(t, err)
	mark, folders := ":freezer:", []string{"/sys/fs/cgroup/freezer"}
	if kind == cgroup.V2 {
		mark, folders = "0::", []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}
	}
	_, path, member := strings.Cut(string(groups), mark)
	path, _, _ = strings.Cut(path, "\n")
	for _, folder := range folders {
		group := filepath.Join(folder, path, string(newJob()))
		var fs unix.Statfs_t
		if !member || os.Mkdir(group, 0o755) != nil {
			continue
		}
		err := unix.Statfs(group, &fs)
		if kit.Must(t, os.Remove(group)); err == nil && fs.Type == map[cgroup.Kind]int64{cgroup.V2: unix.CGROUP2_SUPER_MAGIC, cgroup.V1: unix.CGROUP_SUPER_MAGIC}[kind] {
			return true
		}
	}
	return false
}

// group is the group of a test's own job.
type group struct {
	*cgroup.Group
	parent *cgroup.Parent
	job    cgroup.Name
	path   string
	mark   string // in the environment of its processes
}

func newGroup(t testing.TB, v variant) *group {
	t.Helper()
	g := &group{parent: own(t, v.kind), job: newJob(), mark: "CGROUP_TEST_MARK=" + t.TempDir()}
	g.path = fmt.Sprintf("%s/%s", g.parent.Path(), g.job)
	var err error
	g.Group, err = g.parent.Create(soon(t), g.job)
	kit.Must(t, err)
	if v.slow {
		g.SetSlow()
	}
	t.Cleanup(func() {
		g.Close()
		kit.KillMarked(g.mark)
		kit.Must(t, g.parent.Remove(soon(t), g.job))
	})
	return g
}

// soon returns a context that ends in five seconds. It works in a clean-up, too.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// command returns a command with the group's mark.
func (g *group) command(name string, args ...string) *exec.Cmd {
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), g.mark, "GROUP="+g.path)
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return command
}

// start runs a bash script in the group and reaps it.
func (g *group) start(t testing.TB, script string) {
	t.Helper()
	command := g.command("bash", "-c", script)
	kit.Must(t, g.Fork(command.SysProcAttr, command.Start))
	go func() { _ = command.Wait() }()
}

// marked returns the living processes with the mark, wherever they are.
func (g *group) marked() []int {
	var pids []int
	for _, p := range kit.Marked(g.mark) {
		pids = append(pids, p.ID)
	}
	slices.Sort(pids)
	return pids
}

// await waits until at least n processes have the mark.
func (g *group) await(t testing.TB, want int) {
	t.Helper()
	kit.Await(t, fmt.Sprintf("%d processes", want), func() bool { return len(g.marked()) >= want })
}

// awaitFile waits until a file in the group's folder has a text.
func (g *group) awaitFile(t testing.TB, name, want string) {
	t.Helper()
	kit.Await(t, name+" has "+want, func() bool {
		content, err := os.ReadFile(filepath.Join(g.path, name))
		return err == nil && strings.Contains(string(content), want)
	})
}

// expectNone checks that no process of the group is alive.
func (g *group) expectNone(t testing.TB) {
	t.Helper()
	g.expectNoneMarked(t)
	if pids, err := g.Processes(); err != nil || len(pids) > 0 {
		t.Errorf("the group has %v, %v", pids, err)
	}
}

// expectNoneMarked checks that no process with the mark is alive.
func (g *group) expectNoneMarked(t testing.TB) {
	t.Helper()
	if pids := g.marked(); len(pids) > 0 {
		t.Errorf("these live: %v", pids)
	}
}

// part names the variable that makes the test binary play a part in another process,
// which may have other rights, mounts or namespaces.
const part = "CGROUP_TEST_PART"

func TestMain(m *testing.M) {
	if os.Getenv(part) == "" {
		os.Exit(m.Run())
	}
	if err := play(os.Getenv(part)); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// again returns the command that plays a part. A shell, which can prepare mounts,
// starts the test binary "$0".
func again(t testing.TB, name, shell string, args ...any) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	kit.Must(t, err)
	command := exec.Command("bash", "-euc", shell, self)
	command.Env = append(os.Environ(), part+"="+name, "ARGS="+fmt.Sprint(args...), "GORACE=atexit_sleep_ms=0")
	return command
}

// expectUnavailable checks an error.
func expectUnavailable(t *testing.T, err error, want string) {
	t.Helper()
	if !errors.Is(err, cgroup.ErrUnavailable) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want an ErrUnavailable with %q", err, want)
	}
}
