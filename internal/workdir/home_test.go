package workdir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/workdir"
	"rolecall/test/kit"
)

// owner is the user that the folders are made for.
func owner() workdir.Owner { return workdir.Owner{UID: uid, GID: gid} }

// newSkeleton makes a skeleton with one of each that it may have.
func newSkeleton(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "skeleton")
	kit.Must(t, os.MkdirAll(filepath.Join(dir, ".m2", "empty"), 0o755))
	kit.Must(t, os.WriteFile(filepath.Join(dir, ".netrc"), []byte("machine x"), 0o600))
	kit.Must(t, os.WriteFile(filepath.Join(dir, ".m2", "run"), []byte("#!"), 0o755))
	kit.Must(t, os.Chmod(filepath.Join(dir, ".m2", "run"), 0o4755))
	kit.Must(t, os.Symlink("/etc/shadow", filepath.Join(dir, "link")))
	kit.Must(t, os.Symlink(".m2", filepath.Join(dir, ".maven")))
	return dir
}

// tree returns what is in a folder: modes, owners, and what links lead to.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	kit.Must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		relative, _ := filepath.Rel(dir, path)
		info, infoErr := entry.Info()
		kit.Must(t, errors.Join(err, infoErr))
		stat := info.Sys().(*syscall.Stat_t)
		got[relative] = fmt.Sprintf("%s %d:%d", info.Mode(), stat.Uid, stat.Gid)
		if to, err := os.Readlink(path); err == nil {
			got[relative] += " " + to
		}
		return nil
	}))
	return got
}

// TestMakeHome: the first HOME of a user is a copy of the skeleton, which is the user's own;
// later what is in it stays. Links are copied and not followed, and no right to another
// user is.
func TestMakeHome(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	base, skeleton := filepath.Join(t.TempDir(), "builds"), newSkeleton(t)
	home := filepath.Join(base, "alpha/protected.home")
	kit.Must(t, workdir.MakeHome(base, "alpha/protected.home", skeleton, owner()))
	of := fmt.Sprintf(" %d:%d", uid, gid)
	want := map[string]string{
		".": "drwx------" + of, ".netrc": "-rw-------" + of, ".m2": "drwxr-xr-x" + of, ".m2/empty": "drwxr-xr-x" + of, ".m2/run": "-rwxr-xr-x" + of,
		"link": "Lrwxrwxrwx" + of + " /etc/shadow", ".maven": "Lrwxrwxrwx" + of + " .m2",
	}
	if diff := cmp.Diff(want, tree(t, home)); diff != "" {
		t.Errorf("the copy differs:\n%s", diff)
	}
	if content, err := os.ReadFile(filepath.Join(home, ".netrc")); err != nil || string(content) != "machine x" {
		t.Errorf("%q, %v", content, err)
	}
	kit.Must(t, os.Remove(filepath.Join(home, ".netrc")))
	kit.Must(t, workdir.MakeHome(base, "alpha/protected.home", skeleton, owner()))
	if _, err := os.Lstat(filepath.Join(home, ".netrc")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what a job has removed is there again: %v", err)
	}
	kit.Must(t, workdir.MakeHome(base, "alpha/unprotected.home", "", owner()))
	if diff := cmp.Diff(map[string]string{".": "drwx------" + of}, tree(t, filepath.Join(base, "alpha/unprotected.home"))); diff != "" {
		t.Errorf("without a skeleton it differs:\n%s", diff)
	}
	if got, want := describe(t, filepath.Join(base, "alpha")), "0711 0:0"; got != want {
		t.Errorf("the folder above is %s, want %s", got, want)
	}
}

// TestMakeHomeAtOnce: of many jobs that begin at once, all find the whole copy, also if a
// stage was killed while it made one.
func TestMakeHomeAtOnce(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	base, skeleton := filepath.Join(t.TempDir(), "builds"), newSkeleton(t)
	kit.Must(t, workdir.Make(base, "alpha/x", uid, gid))
	kit.Must(t, os.MkdirAll(filepath.Join(base, "alpha/protected.home.new/.netrc/x"), 0o700))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			err := workdir.MakeHome(base, "alpha/protected.home", skeleton, owner())
			if found := tree(t, filepath.Join(base, "alpha/protected.home")); err != nil || len(found) != 7 {
				t.Errorf("%v, %v", found, err)
			}
		})
	}
	group.Wait()
	if names, err := filepath.Glob(filepath.Join(base, "alpha/*.new")); err != nil || len(names) > 0 {
		t.Errorf("left are %v, %v", names, err)
	}
}

// TestMakeHomeRefuses: what was planted in the place of a HOME, or what others could have
// put into the skeleton, is named, and no HOME is made of it.
func TestMakeHomeRefuses(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	tests := map[string]struct {
		plant func(home, skeleton string) error
		want  string
	}{
		"a link":           {func(home, _ string) error { return os.Symlink("/etc", home) }, "protected.home: not a directory; remove what is at this path"},
		"a FIFO":           {func(home, _ string) error { return syscall.Mkfifo(home, 0o666) }, "protected.home: not a directory; remove what is at this path"},
		"a file":           {func(home, _ string) error { return os.WriteFile(home, nil, 0o600) }, "protected.home: not a directory; remove what is at this path"},
		"a foreign folder": {func(home, _ string) error { return errors.Join(os.Mkdir(home, 0o700), os.Chown(home, 65530, 65530)) }, "protected.home belongs to user 65530, but the job runs as user 65531"},
		"a file above": {func(home, _ string) error {
			return errors.Join(os.RemoveAll(filepath.Dir(home)), os.WriteFile(filepath.Dir(home), nil, 0o600))
		}, "builds/alpha: not a directory; remove what is at this path"},
		"skeleton is a file": {func(_, skeleton string) error {
			return errors.Join(os.RemoveAll(skeleton), os.WriteFile(skeleton, nil, 0o600))
		}, "skeleton: not a directory"},
		"no skeleton":      {func(_, skeleton string) error { return os.RemoveAll(skeleton) }, "skeleton: "},
		"an open skeleton": {func(_, skeleton string) error { return os.Chmod(skeleton, 0o777) }, "skeleton has mode 0777, so others may write to it; chmod go-w"},
		"an open file":     {func(_, skeleton string) error { return os.Chmod(skeleton+"/.netrc", 0o666) }, "/.netrc: others can write to it (mode 0666); chmod go-w it"},
		"an open folder":   {func(_, skeleton string) error { return os.Chmod(skeleton+"/.m2", 0o777) }, "/.m2: others can write to it (mode 0777)"},
		"a file of others": {func(_, skeleton string) error { return os.Chown(skeleton+"/.m2/run", uid, gid) }, "/.m2/run: it belongs to another user than root"},
		"a FIFO inside":    {func(_, skeleton string) error { return syscall.Mkfifo(skeleton+"/fifo", 0o600) }, "/fifo: it is neither a file nor a folder nor a link"},
		"too much":         {func(_, skeleton string) error { return os.Truncate(skeleton+"/.netrc", 64<<20+1) }, "the folder has more than 67108864 bytes"},
		"too many": {func(_, skeleton string) error {
			var err error
			for i := range 10001 {
				err = errors.Join(err, os.Symlink("x", fmt.Sprint(skeleton, "/", i)))
			}
			return err
		}, "the folder has more than 10000 files"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base, skeleton := filepath.Join(t.TempDir(), "builds"), newSkeleton(t)
			home := filepath.Join(base, "alpha/protected.home")
			kit.Must(t, workdir.Make(base, "alpha/x", uid, gid))
			kit.Must(t, test.plant(home, skeleton))
			before, _ := os.Lstat(home)
			err := workdir.MakeHome(base, "alpha/protected.home", skeleton, owner())
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, test.want)
			}
			after, _ := os.Lstat(home)
			if (before == nil) != (after == nil) || before != nil && before.Mode() != after.Mode() {
				t.Errorf("the HOME was %v, and is %v", before, after)
			}
			if names, err := filepath.Glob(filepath.Join(base, "alpha/*.new")); err != nil || len(names) > 0 {
				t.Errorf("left are %v, %v", names, err)
			}
		})
	}
}
