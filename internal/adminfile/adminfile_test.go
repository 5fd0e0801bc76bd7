package adminfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/test/kit"
)

// stranger is a user who is neither root nor the user of the tests.
const stranger = 4711

// good is the content that the admin wrote.
const good = "what the admin wrote"

// tree is a folder of the admin: etc/sub/file, and open/ for symbolic links.
type tree struct{ dir, sub, file string }

// newTree makes a tree that Read accepts.
func newTree(t *testing.T) tree {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	kit.Must(t, err)
	p := tree{filepath.Join(dir, "etc"), filepath.Join(dir, "etc", "sub"), filepath.Join(dir, "etc", "sub", "file")}
	kit.Must(t, os.MkdirAll(p.sub, 0o755))
	kit.Must(t, os.WriteFile(p.file, []byte(good), 0o600))
	return p
}

// refused checks that both Read and Check refuse path, for that reason.
func refused(t *testing.T, path string, want ...string) {
	t.Helper()
	content, err := adminfile.Read(path, 1<<10)
	for name, err := range map[string]error{"Read": err, "Check": adminfile.Check(path)} {
		if err == nil {
			t.Fatalf("%s(%q): no error", name, path)
		}
		for _, text := range want {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%s(%.200q): %q does not say %q", name, path, err, text)
			}
		}
		if !strings.HasPrefix(err.Error(), path) && strings.HasPrefix(path, "/") {
			t.Errorf("%s: %q does not name %q first", name, err, path)
		}
	}
	if content != nil {
		t.Errorf("Read(%q) gave %q beside its error", path, content)
	}
}

// accepted checks that path is read.
func accepted(t *testing.T, path string) {
	t.Helper()
	if content, err := adminfile.Read(path, int64(len(good))); err != nil || string(content) != good {
		t.Errorf("Read(%q) = %q, %v", path, content, err)
	}
	if err := adminfile.Check(path); err != nil {
		t.Error(err)
	}
}

func TestAccepted(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	accepted(t, p.file)
	accepted(t, p.sub+"/../sub//./file")
	accepted(t, "/.."+p.file)
	kit.Must(t, os.Symlink("sub/../sub/file", p.dir+"/relative"))
	kit.Must(t, os.Symlink(p.dir+"/relative", p.dir+"/absolute"))
	kit.Must(t, os.Symlink("../etc", p.dir+"/back"))
	accepted(t, p.dir+"/absolute")
	accepted(t, p.dir+"/back/back/absolute")
	kit.Must(t, os.Mkdir(p.dir+"/sticky", 0o755))
	kit.Must(t, os.Chmod(p.dir+"/sticky", 0o777|os.ModeSticky))
	kit.Must(t, os.WriteFile(p.dir+"/sticky/file", []byte(good), 0o644))
	accepted(t, p.dir+"/sticky/file")
	if err := adminfile.Check(p.sub); err != nil {
		t.Error(err)
	}
	kit.Must(t, os.WriteFile(p.file, nil, 0o600))
	if content, err := adminfile.Read(p.file, 0); err != nil || len(content) != 0 {
		t.Errorf("an empty file: %q, %v", content, err)
	}
}

// TestOwner: a file of another user, and any folder or link on the way, is refused.
func TestOwner(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "files of other users")
	for name, foreign := range map[string]func(p tree) string{
		"file":       func(p tree) string { return p.file },
		"its folder": func(p tree) string { return p.sub },
		"above":      func(p tree) string { return p.dir },
		"link":       func(p tree) string { return p.dir + "/link" },
		"inner link": func(p tree) string { return p.dir + "/inner" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newTree(t)
			kit.Must(t, os.Symlink("sub/file", p.dir+"/inner"))
			kit.Must(t, os.Symlink(p.dir+"/inner", p.dir+"/link"))
			path := foreign(p)
			kit.Must(t, os.Lchown(path, stranger, 0))
			refused(t, p.dir+"/link", path+" belongs to user 4711", "; chown -h root "+path)
		})
	}
}

// TestMode: nobody else may write to the file or to a folder on the way.
func TestMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []os.FileMode{0o664, 0o646, 0o666, 0o777, 0o620, 0o602} {
		p := newTree(t)
		for _, path := range []string{p.file, p.sub, p.dir} {
			info, err := os.Stat(path)
			kit.Must(t, err)
			kit.Must(t, os.Chmod(path, mode|0o700))
			refused(t, p.file, path+" has mode 07", "; chmod go-w "+path)
			kit.Must(t, os.Chmod(path, info.Mode()))
			accepted(t, p.file)
		}
	}
	p := newTree(t)
	kit.Must(t, os.Chmod(p.file, 0o666|os.ModeSticky))
	refused(t, p.file, "has mode 1666")
	kit.Must(t, os.Chmod(p.file, 0o644))
	kit.Must(t, os.Chmod(p.sub, 0o777|os.ModeSticky))
	if err := adminfile.Check(p.sub); err == nil || !strings.Contains(err.Error(), p.sub+" has mode 1777, so others may write to it; choose a folder that only root can write to") {
		t.Errorf("Check of a sticky folder: %v", err)
	}
}

// TestPlanted: in a sticky folder, others may create a file where none was.
func TestPlanted(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "files of other users")
	p := newTree(t)
	kit.Must(t, os.Chmod(p.sub, 0o777|os.ModeSticky))
	own := p.sub + "/users"
	kit.Must(t, os.WriteFile(own, []byte("what a user wrote"), 0o644))
	kit.Must(t, os.Chown(own, stranger, stranger))
	refused(t, own, "belongs to user 4711")
	kit.Must(t, os.Symlink(own, p.dir+"/to-user"))
	refused(t, p.dir+"/to-user", own+" belongs to user 4711")
	kit.Must(t, os.Link(own, p.dir+"/hard"))
	refused(t, p.dir+"/hard", p.dir+"/hard belongs to user 4711")
	kit.Must(t, os.Symlink(p.file, p.sub+"/by-user"))
	kit.Must(t, os.Lchown(p.sub+"/by-user", stranger, stranger))
	refused(t, p.sub+"/by-user", p.sub+"/by-user belongs to user 4711", "chown -h root")
}

func TestLinks(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	kit.Must(t, os.Symlink("loop", p.dir+"/loop"))
	refused(t, p.dir+"/loop", "too many levels of symbolic links")
	kit.Must(t, os.Symlink("sub/file", p.dir+"/0"))
	for i := range 41 {
		kit.Must(t, os.Symlink("chain"+strings.Repeat("x", i), p.dir+"/chain"+strings.Repeat("x", i+1)))
	}
	kit.Must(t, os.Symlink("sub/file", p.dir+"/chain"))
	accepted(t, p.dir+"/chain"+strings.Repeat("x", 39))
	refused(t, p.dir+"/chain"+strings.Repeat("x", 40), "too many levels of symbolic links")
	kit.Must(t, os.Symlink("gone/file", p.dir+"/dangling"))
	kit.Must(t, os.Symlink("dangling", p.dir+"/twice"))
	for _, path := range []string{p.dir + "/dangling", p.dir + "/twice"} {
		refused(t, path, "a link leads to "+p.dir+"/gone, which does not exist")
		if _, err := adminfile.Read(path, 9); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v is taken for a file that nobody wants", err)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	kit.Must(t, os.Symlink("sub", p.dir+"/link"))
	for _, path := range []string{p.file + "x", p.dir + "/none/file", p.dir + "/link/none", "/none"} {
		_, err := adminfile.Read(path, 9)
		if !errors.Is(err, fs.ErrNotExist) || !errors.Is(adminfile.Check(path), fs.ErrNotExist) || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%s: %v is not fs.ErrNotExist", path, err)
		}
	}
	for path, want := range map[string]string{
		"": "is not an absolute path", "file": "is not an absolute path", "./x": "is not an absolute path", p.file + "/x": "not a directory",
		p.file + "/..": "not a directory", p.file + "\x00": "invalid argument", "/" + strings.Repeat("x", 300): "file name too long",
	} {
		refused(t, path, want)
		if _, err := adminfile.Read(path, 9); errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestKinds: a path that is not a regular file is refused at once.
func TestKinds(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	kit.Must(t, unix.Mkfifo(p.dir+"/fifo", 0o600))
	begin := time.Now()
	refused(t, p.dir+"/fifo", "regular file")
	refused(t, "/dev/null", "/dev/null is ", "regular file")
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if _, err := adminfile.Read(p.sub, 9); err == nil || !strings.Contains(err.Error(), p.sub+" is not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := adminfile.Read("/", 9); err == nil || !strings.Contains(err.Error(), "/ is not a regular file") {
		t.Errorf("the root: %v", err)
	}
}

// TestCheckProgram: a program is a file that somebody may execute, by the rules of Read.
func TestCheckProgram(t *testing.T) {
	t.Parallel()
	p := newTree(t)
	for mode, want := range map[os.FileMode]string{0o755: "", 0o700: "", 0o644: " is not executable; chmod a+x " + p.file, 0o757: "has mode 0757"} {
		kit.Must(t, os.Chmod(p.file, mode))
		if err := adminfile.CheckProgram(p.file); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %q", mode, err, want)
		}
	}
	for path, want := range map[string]string{p.dir: "is not a regular file", p.file + "x": "no such file", "x": "is not an absolute path"} {
		if err := adminfile.CheckProgram(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
