package state_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// nobody is a user who is not root.
const nobody = 65534

// asUser returns what makes a child process run as a user to whom modes matter:
// another one than root, else this one.
func asUser() *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
}

// TestUmask: files are private from the first moment on whatever umask the runner
// hands down. The build directory is made with that umask, as a script would make
// it, but for the rights of its owner.
func TestUmask(t *testing.T) {
	if !kit.InChild(t, asUser()) {
		return
	}
	for _, mask := range []int{0o000, 0o777, 0o022, 0o277} {
		t.Run(strconv.FormatInt(int64(mask), 8), func(t *testing.T) {
			p := newPlace(t)
			old := syscall.Umask(mask)
			f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
			if err == nil {
				err = f.Write(credentials())
				f.Close()
			}
			after := syscall.Umask(old)
			kit.Must(t, err)
			if after != mask {
				t.Errorf("the umask is %04o afterwards, was %04o", after, mask)
			}
			want := maps.Clone(asMade)
			want["builds"] = (fs.ModeDir | 0o755&^fs.FileMode(mask&0o077)).String()
			want["builds/project.tmp"] = want["builds"]
			if diff := cmp.Diff(want, modes(t, p.dir)); diff != "" {
				t.Errorf("modes differ:\n%s", diff)
			}
			p.remove(t, 7)
			p.gone(t, 7)
		})
	}
}

// TestModesTakenAway: a job takes rights away from what is its own. It runs as a
// user to whom modes matter.
func TestModesTakenAway(t *testing.T) {
	if !kit.InChild(t, asUser()) {
		return
	}
	for _, test := range []struct {
		name string
		path func(p place) string
	}{
		{"env file", func(p place) string { return p.env(7) }},
		{"record", func(p place) string { return filepath.Join(p.folder(7), "job.json") }},
		{"job folder", func(p place) string { return p.folder(7) }},
		{"link folder", func(p place) string { return p.linkFolder(7) }},
		{"root", func(p place) string { return p.root }},
		{"folder of its own", func(p place) string { return filepath.Join(p.folder(7), "own") }},
	} {
		for _, mode := range []fs.FileMode{0o000, 0o500} {
			t.Run(test.name+" "+mode.String(), func(t *testing.T) { removeAfterChmod(t, test.path, mode) })
		}
	}
}

// removeAfterChmod removes a job after the mode of one of its paths was changed.
func removeAfterChmod(t *testing.T, path func(p place) string, mode fs.FileMode) {
	p := newPlace(t)
	p.write(t, 7)
	kit.Must(t, os.Mkdir(filepath.Join(p.folder(7), "own"), 0o700))
	kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "own", "file"), nil, 0o600))
	changed := path(p)
	kit.Must(t, os.Chmod(changed, mode))
	p.remove(t, 7)
	_ = os.Chmod(changed, 0o700) // so that what is left can be seen, and removed
	p.gone(t, 7)
}

// TestForeignRoot: a folder of another user is nothing to put secrets in, and
// what is in it is no concern of this user's cleanup.
func TestForeignRoot(t *testing.T) {
	kit.NeedRoot(t, "a state folder that belongs to another user")
	t.Parallel()
	p := newPlace(t)
	p.write(t, 7)
	kit.Must(t, os.Lchown(p.root, nobody, nobody))
	const want = "root belongs to user 65534, not to user 0 who runs the driver; remove it"
	_, err := state.Create(p.root, key(8), state.Record{Tenant: "alpha"}, p.builds)
	wantError(t, "Create", err, want)
	_, err = state.Open(p.root, key(7))
	wantError(t, "Open", err, want)
	p.remove(t, 7)
	if _, err := os.Stat(p.env(7)); err != nil {
		t.Errorf("Remove reached into a folder of another user: %v", err)
	}
}

// TestForeignJobFolder: the same for the folder of one job and for the folder
// that the link goes to.
func TestForeignJobFolder(t *testing.T) {
	kit.NeedRoot(t, "folders that belong to another user")
	t.Parallel()
	p := newPlace(t)
	p.write(t, 7)
	kit.Must(t, os.Lchown(p.folder(7), nobody, nobody))
	_, err := state.Open(p.root, key(7))
	wantError(t, "Open", err, "7 belongs to user 65534")
	wantError(t, "Remove", state.Remove(p.root, key(7)), "7 belongs to user 65534")
	kit.Must(t, os.Lchown(p.folder(7), 0, 0))
	kit.Must(t, os.Lchown(p.builds, nobody, nobody))
	_, err = state.Create(p.root, key(8), state.Record{Tenant: "alpha"}, p.builds)
	wantError(t, "Create", err, "project.tmp belongs to user 65534")
	if _, err := os.Lstat(p.folder(8)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the state of a refused job is left: %v", err)
	}
	_ = state.Remove(p.root, key(7))
	p.noSecret(t)
}

// TestChooseAsUser: what root keeps for itself is passed over by another user.
func TestChooseAsUser(t *testing.T) {
	const variable = "STORE_MEMORY"
	memory := os.Getenv(variable)
	if memory == "" {
		kit.NeedRoot(t, "a user who finds root's state folder")
		memory = shm(t)
		kit.Must(t, os.Chmod(memory, 0o755))
		kit.Must(t, os.Mkdir(filepath.Join(memory, "closed"), 0o700))
		kit.Must(t, os.Mkdir(filepath.Join(memory, "open"), 0o755))
	}
	if !kit.InChild(t, asUser(), variable+"="+memory) {
		return
	}
	last := filepath.Join(t.TempDir(), "last")
	for _, first := range []string{"closed", "open", "none"} {
		got, err := state.Choose([]string{filepath.Join(memory, first), last}, unexpected(t))
		if err != nil || got != last {
			t.Errorf("%s: Choose = %q, %v, want %s", first, got, err, last)
		}
		if err := state.Remove(filepath.Join(memory, first), key(7)); err != nil {
			t.Errorf("%s: Remove: %v", first, err)
		}
	}
	_, err := state.Choose([]string{filepath.Join(memory, "closed")}, unexpected(t))
	wantError(t, "the last root is root's", err, "belongs to user 0, not to user 65534")
}
