package state_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// smallMounts says what goes untested without root.
const smallMounts = "full and read-only disks: small mounts"

// fill writes to the file system of dir until it is full.
func fill(t *testing.T, dir string) {
	t.Helper()
	file, err := os.Create(filepath.Join(dir, "filler"))
	kit.Must(t, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	if !strings.Contains(err.Error(), "no space left on device") {
		t.Fatal(err)
	}
}

// TestFullDisk: where the disk is full the error says so and no part of a file is
// left, above all no part of an env file.
func TestFullDisk(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	const full = "no space left on device"
	for name, test := range map[string]struct{ root, builds string }{
		"no room for the record":          {"size=4k", ""},
		"no inode for the job":            {"nr_inodes=1", ""},
		"no inode for the record":         {"nr_inodes=2", ""},
		"no inode for the second names":   {"nr_inodes=3", ""},
		"no inode for the job's files":    {"nr_inodes=4", ""},
		"no inode for the link's folder":  {"", "nr_inodes=2"},
		"no inode for the link itself":    {"", "nr_inodes=3"},
		"no inode for the work directory": {"", "nr_inodes=1"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			kit.Mount(t, p.root, test.root, 0)
			kit.Mount(t, filepath.Dir(p.builds), test.builds, 0)
			if strings.HasPrefix(test.root, "size") {
				fill(t, p.root)
			}
			_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
			wantError(t, "Create", err, full)
			kit.Must(t, os.RemoveAll(filepath.Join(p.root, "filler")))
			if diff := cmp.Diff(map[string]string{}, modes(t, p.root)); diff != "" {
				t.Errorf("the root is not empty:\n%s", diff)
			}
			p.gone(t, 7)
		})
	}
}

// TestFullDiskAtWrite: the record takes the only page, so the env file has none.
func TestFullDiskAtWrite(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	p := newPlace(t)
	kit.Mount(t, p.root, "size=4k", 0)
	f := create(t, p, 7)
	wantError(t, "Write", f.Write(credentials()), p.issued(7)+": no space left on device")
	for _, path := range []string{p.issued(7), p.env(7), filepath.Join(p.folder(7), "kept", ".aws.alpha.env")} {
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("a part of an env file is left: %v", err)
		}
	}
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestRemoveOnFullDisk: a disk that is full does not keep cleanup from its work,
// also not beside a planted file with a hole, which takes room when it is
// overwritten.
func TestRemoveOnFullDisk(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	for _, planted := range []bool{false, true} {
		t.Run(map[bool]string{false: "alone", true: "beside a hole"}[planted], func(t *testing.T) {
			p := newPlace(t)
			kit.Mount(t, p.root, "size=64k", 0)
			p.write(t, 7)
			if planted {
				hole := filepath.Join(p.secret(7), ".aws.hole.env")
				kit.Must(t, os.WriteFile(hole, nil, 0o600))
				kit.Must(t, os.Truncate(hole, 32<<10))
			}
			fill(t, p.root)
			p.remove(t, 7)
			p.gone(t, 7)
		})
	}
}

// TestReadOnly: nothing can be made, and the error says where and why.
func TestReadOnly(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	const readOnly = "read-only file system"
	p := newPlace(t)
	kit.Mount(t, filepath.Dir(p.builds), "", syscall.MS_RDONLY)
	_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
	wantError(t, "a read-only builds directory", err, "build directory: ")
	wantError(t, "a read-only builds directory", err, readOnly)
	deep := filepath.Join(filepath.Dir(p.builds), "a", "b", "project.tmp")
	_, err = state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, deep)
	wantError(t, "far below a read-only directory", err, "mkdir "+filepath.Dir(filepath.Dir(deep))+": "+readOnly)
	if diff := cmp.Diff(map[string]string{}, modes(t, p.root)); diff != "" {
		t.Errorf("the root is not empty:\n%s", diff)
	}
	frozen := filepath.Join(p.dir, "frozen")
	kit.Mount(t, frozen, "", syscall.MS_RDONLY)
	_, err = state.Create(frozen, key(7), state.Record{Tenant: "alpha"}, "")
	wantError(t, "a read-only root", err, readOnly)
}

// TestChooseReadOnly: a root that cannot be made is passed over, whatever keeps
// this user from making it. Containers often have a /run that is read-only.
func TestChooseReadOnly(t *testing.T) {
	if !kit.InMounts(t, smallMounts) {
		return
	}
	p := newPlace(t)
	frozen := filepath.Join(p.dir, "frozen")
	kit.Mount(t, frozen, "", syscall.MS_RDONLY)
	got, err := state.Choose([]string{filepath.Join(frozen, "rolecall"), p.root}, unexpected(t))
	if err != nil || got != p.root {
		t.Errorf("Choose = %q, %v, want the next root", got, err)
	}
}

// TestBytesAreOnTmpfs: the path in the build directory, on a disk, is a link, and
// what it leads to is in memory.
func TestBytesAreOnTmpfs(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.root = filepath.Join(shm(t), "root")
	f := p.write(t, 7)
	target, err := os.Readlink(f.Path())
	if err != nil || target != p.env(7) || !state.OnTmpfs(target) {
		t.Errorf("the link leads to %q, %v, want %s on a tmpfs", target, err, p.env(7))
	}
	p.noSecret(t) // in the build directory, which does not hold the root here
	p.remove(t, 7)
	p.gone(t, 7)
}
