package host_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// anybody is a user of every host, and no user of a job.
const anybody = "nobody"

// TestPlaceOfUser: the folders of the job's user are made, or must be such that the user
// can make them; the admin is told which folder is in the way.
func TestPlaceOfUser(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	for name, test := range map[string]struct {
		spec  backend.Spec // of folders below that of the test
		plant func(dir string) error
		want  string // the error; empty: none
		made  string // a folder that must be there
	}{
		"made":                 {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected"}, nil, "", "/c/a/protected"},
		"beside the work tree": {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected"}, nil, "", "/b/a/protected.tmp"},
		"own folders":          {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected"}, nil, "", "/b/a/protected.own"},
		"a HOME":               {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected", OwnHome: true}, nil, "", "/b/a/protected.home"},
		"HOME is planted": {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected", OwnHome: true}, func(dir string) error {
			return errors.Join(os.MkdirAll(dir+"/b/a", 0o711), os.Symlink("/etc", dir+"/b/a/protected.home"))
		}, "DIR/b/a/protected.home: not a directory; remove what is at this path", ""},
		"own folders are planted": {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected"}, func(dir string) error {
			return errors.Join(os.MkdirAll(dir+"/b/a", 0o711), os.Symlink("/etc", dir+"/b/a/protected.own"))
		}, "DIR/b/a/protected.own: not a directory; remove what is at this path", ""},
		"no skeleton":            {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected", OwnHome: true, Skeleton: "/none/such"}, nil, "/none/such", ""},
		"the tenant's is a file": {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected"}, func(dir string) error { return file(dir+"/b", "a") }, "DIR/b/a: not a directory", ""},
		"cache is a file":        {backend.Spec{BuildsDir: "/b", CacheDir: "/c", Folder: "a/protected"}, func(dir string) error { return os.WriteFile(dir+"/c", nil, 0o600) }, "/c: not a directory", ""},
		"the user can make":      {backend.Spec{TempProject: "/b/p/x.tmp"}, func(dir string) error { return os.Mkdir(dir+"/b", 0o700) }, `user "nobody" cannot make folders in DIR/b, where its jobs work; let builds_dir and cache_dir`, ""},
		"the user can make, now": {backend.Spec{TempProject: "/b/p/x.tmp"}, func(dir string) error { return openDir(dir + "/b") }, "", ""},
		"above is a file":        {backend.Spec{TempProject: "/b/p/x.tmp"}, func(dir string) error { return os.WriteFile(dir+"/b", nil, 0o600) }, "/b/p: not a directory", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			kit.Must(t, err)
			if test.plant != nil {
				kit.Must(t, test.plant(dir))
			}
			state, owner, err := host.New().Place(t.Context(), under(dir, test.spec))
			if want := strings.Replace(test.want, "DIR", dir, 1); test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("error %v, want %q", err, want)
			}
			if test.made != "" && state.Caches != dir+"/c/a/protected" {
				t.Errorf("caches are at %q", state.Caches)
			}
			if (err == nil) != (owner != nil && owner.UID != 0 && state.Backend == host.Name) {
				t.Errorf("Place = %+v, %v, %v", state, owner, err)
			}
			if _, err := os.Stat(dir + test.made); err != nil {
				t.Error(err)
			}
		})
	}
}

// under returns the spec for a job of anybody, with its folders below dir.
func under(dir string, spec backend.Spec) backend.Spec {
	spec.RunAs = anybody
	for _, path := range []*string{&spec.BuildsDir, &spec.CacheDir, &spec.TempProject} {
		if *path != "" {
			*path = dir + *path
		}
	}
	return spec
}

// file makes a folder with a file in it.
func file(dir, name string) error {
	if err := os.Mkdir(dir, 0o711); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), nil, 0o600)
}

// openDir makes a folder that all may write to.
func openDir(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil {
		return err
	}
	return os.Chmod(path, 0o777)
}

// TestPlaceIsTheAdmins: a folder that is not the admin's is the admin's to mend.
func TestPlaceIsTheAdmins(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	dir := t.TempDir()
	kit.Must(t, openDir(dir+"/open"))
	_, owner, err := host.New().Place(t.Context(), backend.Spec{RunAs: anybody, BuildsDir: dir + "/open", CacheDir: dir + "/c", Folder: "a/b"})
	if owner != nil || fault.SideOf(err) != fault.Admin || !strings.Contains(err.Error(), "/open has mode 0777, so others may write to it") {
		t.Errorf("%v, %v", owner, err)
	}
	if left, _ := os.ReadDir(dir + "/open"); len(left) > 0 {
		t.Errorf("it made %v", left)
	}
}
