package workdir_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/workdir"
	"rolecall/test/kit"
)

// whole is how many files a HOME has that is a copy of newSkeleton.
const whole = 7

// expectNoHome checks that there is no HOME in base that is not whole.
func expectNoHome(t *testing.T, when, base string) {
	t.Helper()
	home := filepath.Join(base, "alpha/protected.home")
	if _, err := os.Lstat(home); err == nil && len(tree(t, home)) != whole {
		t.Errorf("%s: the HOME is not whole: %v", when, tree(t, home))
	}
}

// TestFullDisk: whatever does not fit on a disk, there is an error, and neither a HOME nor a
// folder of a job that is not whole.
func TestFullDisk(t *testing.T) {
	if !kit.InMounts(t, "a disk that is full") {
		return
	}
	skeleton, errs := newSkeleton(t), 0
	for inodes := 2; inodes < 100; inodes++ {
		when := fmt.Sprintf("with %d inodes", inodes)
		disk := filepath.Join(t.TempDir(), "disk")
		kit.Mount(t, disk, fmt.Sprint("nr_inodes=", inodes), 0)
		base, own := filepath.Join(disk, "builds"), filepath.Join(disk, "own")
		err := os.Mkdir(own, 0o700)
		if err == nil {
			err = workdir.Furnish(own, workdir.Source{Dir: skeleton, Admins: true}, []backend.ToolFile{{Path: ".m2/run"}}, owner())
		}
		if err == nil {
			err = workdir.MakeHome(base, "alpha/protected.home", skeleton, owner())
		}
		if err == nil {
			err = workdir.Make(base, "beta/protected", uid, gid)
		}
		if err == nil {
			break
		}
		if errs++; !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", when, err)
		}
		expectNoHome(t, when, base)
		if left, _ := filepath.Glob(base + "/alpha/*.new"); len(left) > 0 {
			t.Errorf("%s: left are %v", when, left)
		}
	}
	if errs < 10 || errs > 30 {
		t.Errorf("%d disks were full", errs)
	}
}

// TestFewDescriptors: without descriptors there is an error, and no HOME that is not whole.
func TestFewDescriptors(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	skeleton, base, errs := newSkeleton(t), filepath.Join(t.TempDir(), "builds"), 0
	var before syscall.Rlimit
	kit.Must(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	for most := descriptors(t); ; most++ {
		kit.Must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: uint64(most), Max: before.Max}))
		err := workdir.MakeHome(base, "alpha/protected.home", skeleton, owner())
		kit.Must(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before))
		expectNoHome(t, fmt.Sprintf("with %d descriptors", most), base)
		if err == nil {
			break
		}
		if errs++; !errors.Is(err, syscall.EMFILE) || errs > 30 {
			t.Fatalf("with %d descriptors: %v", most, err)
		}
	}
	if errs < 6 {
		t.Errorf("there were too few descriptors only %d times", errs)
	}
}

// TestBrokenDisk: what the disk or the kernel cannot do is an error that says where, and the
// HOME is not there.
func TestBrokenDisk(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	for name, test := range map[string]struct {
		call kit.Call
		want string
	}{
		"lock":   {kit.Call{Number: unix.SYS_FLOCK}, "builds/alpha: "},
		"see":    {kit.Call{Number: unix.SYS_FACCESSAT2}, "builds/alpha/protected.home: "},
		"list":   {kit.Call{Number: unix.SYS_GETDENTS64}, "skeleton"},
		"look":   {kit.Call{Number: unix.SYS_NEWFSTATAT, Mask: 1 << 31}, "skeleton/"}, // beside a descriptor, which is not AT_FDCWD
		"open":   {kit.Call{Number: unix.SYS_OPENAT, Arg: 2, Mask: unix.O_NONBLOCK | unix.O_NOFOLLOW, Has: unix.O_NONBLOCK | unix.O_NOFOLLOW}, "skeleton/"},
		"enter":  {kit.Call{Number: unix.SYS_OPENAT, Arg: 2, Mask: unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK}, "protected.home.new: "}, // by os.OpenRoot
		"link":   {kit.Call{Number: unix.SYS_READLINKAT}, "skeleton/"},
		"rename": {kit.Call{Number: unix.SYS_RENAMEAT}, "builds/alpha/protected.home: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.IsChild(t) { // which cannot remove its folders
				kit.InChild(t, nil, "SKELETON="+newSkeleton(t), "BASE="+filepath.Join(t.TempDir(), "builds"))
				return
			}
			skeleton, base := os.Getenv("SKELETON"), os.Getenv("BASE")
			kit.Must(t, workdir.Make(base, "alpha/x", uid, gid))
			kit.Must(t, kit.Deny(unix.EIO, test.call))
			err := workdir.MakeHome(base, "alpha/protected.home", skeleton, owner())
			if !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if err := unix.Access(filepath.Join(base, "alpha/protected.home"), unix.F_OK); err == nil {
				t.Error("there is a HOME")
			}
		})
	}
}

// TestBrokenCopy: a file of a tool that cannot be given to the user is an error that names it.
func TestBrokenCopy(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	skeleton, own := newSkeleton(t), t.TempDir()
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_FCHOWNAT}))
	err := workdir.Furnish(own, workdir.Source{Dir: skeleton, Admins: true}, []backend.ToolFile{{Path: ".m2/run"}}, owner())
	if !errors.Is(err, unix.EIO) || !strings.Contains(err.Error(), "lchownat .m2/run: ") {
		t.Errorf("error %v", err)
	}
}

// TestMountedCopy: a copy that a killed stage has begun, and that cannot be removed, is an
// error.
func TestMountedCopy(t *testing.T) {
	if !kit.InMounts(t, "a folder that cannot be removed") {
		return
	}
	base := filepath.Join(t.TempDir(), "builds")
	kit.Must(t, workdir.Make(base, "alpha/x", uid, gid))
	kit.Mount(t, filepath.Join(base, "alpha/protected.home.new"), "size=8k", 0)
	if err := workdir.MakeHome(base, "alpha/protected.home", newSkeleton(t), owner()); !errors.Is(err, unix.EBUSY) {
		t.Errorf("error %v", err)
	}
}
