package workdir_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/workdir"
	"rolecall/test/kit"
)

// tooLong is a name that no file can have.
var tooLong = strings.Repeat("x", 256)

// TestCannotMake: a folder that cannot be made is named in the error, with the reason,
// and nothing is made below it.
func TestCannotMake(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "folders of other users")
	for name, test := range map[string]struct {
		base, names string
		plant       func(dir string) error
		want        string
	}{
		"base is a file":           {"/b", "alpha/protected", func(dir string) error { return os.WriteFile(dir+"/b", nil, 0o600) }, "/b: not a directory"},
		"above base all may write": {"/open/b", "alpha/protected", func(dir string) error { return join(os.Mkdir(dir+"/open", 0o700), os.Chmod(dir+"/open", 0o777)) }, "/open has mode 0777, so others may write to it; chmod go-w"},
		"above base is nothing":    {"/none/b", "alpha/protected", nil, "/none: no such file or directory"},
		"the name of base":         {"/" + tooLong, "alpha/protected", nil, "/" + tooLong + ": file name too long"},
		"the tenant's name":        {"/b", tooLong + "/protected", nil, "/b/" + tooLong + ": file name too long"},
		"the class's name":         {"/b", "alpha/" + tooLong, nil, "/b/alpha/" + tooLong + ": file name too long"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if test.plant != nil {
				kit.Must(t, test.plant(dir))
			}
			err := workdir.Make(dir+test.base, test.names, uid, gid)
			if err == nil || !strings.HasPrefix(err.Error(), dir+test.want) {
				t.Errorf("error %v, want %q", err, dir+test.want)
			}
			if made, _ := filepath.Glob(dir + "/*/*/*"); len(made) > 0 {
				t.Errorf("it made %q", made)
			}
		})
	}
}

// TestReadOnly: on a read-only disk the error names the folder that cannot be made, or
// whose mode or owner cannot be changed.
func TestReadOnly(t *testing.T) {
	if !kit.InMounts(t, "folders on read-only disks") {
		return
	}
	for name, test := range map[string]struct{ mount, mode, want string }{
		"base":                {"", "0711", "alpha: read-only file system"},
		"the tenant's":        {"alpha", "0711", "alpha: read-only file system"},
		"the class's":         {"alpha/protected", "0711", "alpha/protected: read-only file system"},
		"the class's is open": {"alpha/protected", "0777,uid=65531", "alpha/protected: read-only file system"},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			kit.Must(t, os.MkdirAll(filepath.Join(base, test.mount), 0o711))
			kit.Mount(t, filepath.Join(base, test.mount), "mode="+test.mode, syscall.MS_RDONLY)
			err := workdir.Make(base, "alpha/protected", uid, gid)
			if want := filepath.Join(base, test.want); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("error %v, want %q", err, want)
			}
		})
	}
}
