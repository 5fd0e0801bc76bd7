package workdir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/workdir"
	"rolecall/test/kit"
)

// The user that the folders are made for.
const uid, gid = 65531, 65532

// describe returns the mode and the owner of a path, or why it cannot be read.
func describe(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		return err.Error()
	}
	stat := info.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%04o %d:%d", info.Mode().Perm(), stat.Uid, stat.Gid)
}

func TestMake(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	for _, umask := range []int{0, 0o022, 0o777} {
		base := filepath.Join(t.TempDir(), "builds")
		old := syscall.Umask(umask)
		for range 2 { // the second time all is there
			kit.Must(t, workdir.Make(base, "alpha/protected", uid, gid))
		}
		kit.Must(t, workdir.Make(base, "alpha/unprotected", uid, gid))
		syscall.Umask(old)
		for path, want := range map[string]string{
			"":                  "0711 0:0",
			"alpha":             "0711 0:0",
			"alpha/protected":   fmt.Sprintf("0700 %d:%d", uid, gid),
			"alpha/unprotected": fmt.Sprintf("0700 %d:%d", uid, gid),
		} {
			if got := describe(t, filepath.Join(base, path)); got != want {
				t.Errorf("umask %03o: %s is %s, want %s", umask, path, got, want)
			}
		}
	}
}

// TestMakeMode: a folder that is open to others is closed, and one that a job has closed
// to itself is opened.
func TestMakeMode(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	for _, mode := range []os.FileMode{0o777, 0o500, 0} {
		base := t.TempDir()
		kit.Must(t, os.MkdirAll(filepath.Join(base, "alpha/protected"), 0o755))
		kit.Must(t, os.Chmod(filepath.Join(base, "alpha/protected"), mode))
		kit.Must(t, os.Chown(filepath.Join(base, "alpha/protected"), uid, gid))
		kit.Must(t, workdir.Make(base, "alpha/protected", uid, gid))
		if got, want := describe(t, filepath.Join(base, "alpha/protected")), fmt.Sprintf("0700 %d:%d", uid, gid); got != want {
			t.Errorf("%v: it is %s, want %s", mode, got, want)
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	for name, test := range map[string]struct {
		plant func(base string) error
		want  string
	}{
		"base is open to others":         {func(b string) error { return os.Chmod(b, 0o777) }, "chmod go-w"},
		"base is another's":              {func(b string) error { return os.Chown(b, uid, gid) }, "belongs to user"},
		"a link for the tenant":          {func(b string) error { return os.Symlink("/etc", b+"/alpha") }, "alpha: not a directory"},
		"a link for the class":           {func(b string) error { return link(b+"/alpha", "/etc", "protected") }, "alpha/protected: not a directory"},
		"a file":                         {func(b string) error { return os.WriteFile(b+"/alpha", nil, 0o600) }, "alpha: not a directory"},
		"the tenant's folder is a job's": {func(b string) error { return give(b+"/alpha", uid) }, "alpha belongs to user 65531"},
		"the class is of another user":   {func(b string) error { return join(os.Mkdir(b+"/alpha", 0o755), give(b+"/alpha/protected", uid+1)) }, "alpha/protected belongs to user 65532, but the job runs as user 65531"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := t.TempDir()
			kit.Must(t, test.plant(base))
			err := workdir.Make(base, "alpha/protected", uid, gid)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if got := describe(t, "/etc"); !strings.HasSuffix(got, " 0:0") {
				t.Fatalf("/etc is %s", got)
			}
		})
	}
}

// join returns the first error.
func join(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// give makes a folder that belongs to the user.
func give(path string, uid int) error {
	return join(os.Mkdir(path, 0o700), os.Chown(path, uid, gid))
}

// link makes a folder with a symbolic link in it.
func link(dir, target, name string) error {
	return join(os.Mkdir(dir, 0o755), os.Symlink(target, filepath.Join(dir, name)))
}
