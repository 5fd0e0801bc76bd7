package workdir_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/workdir"
	"rolecall/test/kit"
)

// secretOfRoot is what no job may read.
const secretOfRoot = "root:secret"

// TestFurnish: a file of a tool is copied if it is one that the user of the home can read.
// What the user has planted there instead leads to nothing, and is no error.
func TestFurnish(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	write := func(mode os.FileMode, asUID int) func(path string) error {
		return func(path string) error {
			if err := os.WriteFile(path, []byte("[default]"), mode); err != nil {
				return err
			}
			return os.Chown(path, asUID, asUID)
		}
	}
	for name, test := range map[string]struct {
		plant  func(path string) error
		copied bool
	}{
		"the user's":           {write(0o600, uid), true},
		"root's, for all":      {write(0o644, 0), true},
		"nothing":              {func(string) error { return nil }, false},
		"root's":               {write(0o600, 0), false},
		"another user's":       {write(0o640, 65530), false},
		"too big":              {func(path string) error { return os.WriteFile(path, make([]byte, 1<<20+1), 0o644) }, false},
		"a folder":             {func(path string) error { return os.Mkdir(path, 0o755) }, false},
		"a FIFO":               {func(path string) error { return syscall.Mkfifo(path, 0o666) }, false},
		"a link to a secret":   {func(path string) error { return os.Symlink(filepath.Join(filepath.Dir(path), "../../secret"), path) }, false},
		"a link within":        {func(path string) error { return os.Symlink("../secret", path) }, false},
		"a socket":             {func(path string) error { return syscall.Mknod(path, syscall.S_IFSOCK|0o666, 0) }, false},
		"an unreadable secret": {func(path string) error { return os.Link(filepath.Join(filepath.Dir(path), "../secret"), path) }, false},
	} {
		dir := t.TempDir()
		home, own := filepath.Join(dir, "home"), filepath.Join(dir, "own")
		kit.Must(t, os.MkdirAll(filepath.Join(home, ".aws"), 0o755))
		kit.Must(t, os.Mkdir(own, 0o700))
		kit.Must(t, os.WriteFile(filepath.Join(home, "secret"), []byte(secretOfRoot), 0o600))
		kit.Must(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(secretOfRoot), 0o644))
		kit.Must(t, test.plant(filepath.Join(home, ".aws/config")))
		if err := workdir.Furnish(own, workdir.Source{Dir: home}, []backend.ToolFile{{Path: ".aws/config"}, {Path: ".aws/credentials"}, {Path: ".docker/config.json"}}, owner()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got, of := tree(t, own), fmt.Sprintf(" %d:%d", uid, gid)
		if _, copied := got[".aws/config"]; copied != test.copied || got["."] != "drwx------"+of || got[".aws"] != "drwx------"+of || got[".docker"] != "drwx------"+of {
			t.Errorf("%s: %v", name, got)
		}
		content, _ := os.ReadFile(filepath.Join(own, ".aws/config"))
		if test.copied && (string(content) != "[default]" || got[".aws/config"] != "-rw-------"+of) || strings.Contains(string(content), secretOfRoot) {
			t.Errorf("%s: %q, %v", name, content, got)
		}
	}
}

// TestFurnishFrom: what a skeleton has is copied whoever may read it; no source is none.
func TestFurnishFrom(t *testing.T) {
	kit.NeedRoot(t, "folders of other users")
	t.Parallel()
	skeleton := newSkeleton(t)
	open := filepath.Join(t.TempDir(), "open")
	kit.Must(t, os.Mkdir(open, 0o700))
	kit.Must(t, os.Chmod(open, 0o777))
	for name, test := range map[string]struct {
		from workdir.Source
		want int
		err  string
	}{
		"a skeleton":    {workdir.Source{Dir: skeleton, Admins: true}, 2, ""},
		"as a home":     {workdir.Source{Dir: skeleton}, 1, ""},
		"no folder":     {workdir.Source{}, 1, ""},
		"no home":       {workdir.Source{Dir: "/none/such"}, 1, ""},
		"open skeleton": {workdir.Source{Dir: open, Admins: true}, 1, "others may write to it"},
		"lost skeleton": {workdir.Source{Dir: "/none/such", Admins: true}, 1, "no such file"},
	} {
		own := t.TempDir()
		err := workdir.Furnish(own, test.from, []backend.ToolFile{{Path: ".netrc"}}, owner())
		if got := len(tree(t, own)); got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %d files, %v", name, got, err)
		}
	}
	if err := workdir.Furnish(filepath.Join(t.TempDir(), "none"), workdir.Source{}, nil, owner()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("no folder to furnish: %v", err)
	}
}

// TestFurnishEnd: a copy ends with what an order adds to it, on lines of its own, also where
// there is no file. A section that the file has already is refused.
func TestFurnishEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want, refused string }{
		"no file":              {"", "[profile audit]\nx = 1\n", ""},
		"a file":               {"[default]\na = 1\n", "[default]\na = 1\n[profile audit]\nx = 1\n", ""},
		"a line without end":   {"[default]\na = 1", "[default]\na = 1\n[profile audit]\nx = 1\n", ""},
		"the section is there": {"[profile other]\n  [profile audit] \ny = 2\n", "", "it has [profile audit] already"},
		"a value that is like": {"[default]\na = [profile audit]\n", "[default]\na = [profile audit]\n[profile audit]\nx = 1\n", ""},
	} {
		home, own := t.TempDir(), t.TempDir()
		if test.content != "" {
			if err := os.WriteFile(filepath.Join(home, "config"), []byte(test.content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		err := workdir.Furnish(own, workdir.Source{Dir: home}, []backend.ToolFile{{Path: "config", End: "[profile audit]\nx = 1\n"}}, owner())
		got, _ := os.ReadFile(filepath.Join(own, "config"))
		if string(got) != test.want || (test.refused != "") != (err != nil) || err != nil && !strings.Contains(err.Error(), test.refused) {
			t.Errorf("%s: %q, %v, want %q", name, got, err, test.want)
		}
	}
}
