package selection_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate/selection"
	"rolecall/test/kit"
)

// deep makes nested folders in dir, deeper than the longest possible path.
func deep(t testing.TB, dir string, depth int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	for range depth {
		kit.Must(t, err)
		if err = unix.Mkdirat(fd, "d", 0o700); err != nil {
			t.Fatal(err)
		}
		var next int
		next, err = unix.Openat(fd, "d", unix.O_DIRECTORY, 0)
		_ = unix.Close(fd)
		fd = next
	}
	var bottom int
	if bottom, err = unix.Openat(fd, "secret", unix.O_CREAT|unix.O_WRONLY, 0o600); err != nil {
		t.Fatal(err)
	}
	_, _ = unix.Close(bottom), unix.Close(fd)
}

// TestDeep: the runner cannot name files below the longest possible path, and uploads
// all files above.
func TestDeep(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"a"})
	deep(t, dir, 4000)
	// With the other patterns the runner needs hours.
	if got := archived(t, dir, selection.Upload{Paths: []string{"."}}, nil); len(got) != 1 {
		t.Errorf("the runner takes %d files of .", len(got))
	}
	for pattern, want := range map[string]int{".": 1, "d": 0, "**": 1, "**/secret": 0, "d/**/a": 0} {
		got, problems := selected(t, dir, selection.Upload{Paths: []string{pattern}}, nil)
		if len(got) != want {
			t.Errorf("%s: %d files, want %d", pattern, len(got), want)
		}
		if len(problems) == 0 {
			t.Errorf("%s: no problem, want one of the path's length", pattern)
		}
		for _, p := range problems {
			if !errors.Is(p.Err, unix.ENAMETOOLONG) || p.Missed || !strings.HasPrefix(p.Path, "d/d/") {
				t.Errorf("%s: problem %.100v", pattern, p)
			}
		}
	}
}

// TestJustNotTooDeep: the length of the project's own path does not count. The runner
// works in the project.
func TestJustNotTooDeep(t *testing.T) {
	t.Parallel()
	dir := plant(t, nil)
	deep(t, dir, 2043) // 2043 "d/" and "secret" are 4092 bytes
	u := selection.Upload{Paths: []string{"."}}
	project, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer project.Close()
	vars, err := project.Variables(nil, nil, nil)
	kit.Must(t, err)
	set, err := project.Select(t.Context(), []selection.Upload{u}, vars)
	kit.Must(t, err)
	defer set.Close()
	files := slices.Collect(set.Files())
	if len(files) != 1 || len(set.Problems) > 0 {
		t.Fatalf("%d files, %d problems, want the file at the bottom", len(files), len(set.Problems))
	}
	file, err := project.Open(files[0])
	kit.Must(t, err)
	file.Close()
}

// TestOddFiles: FIFOs, sockets and devices are not taken, and opening them does not
// wait.
func TestOddFiles(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"a"})
	kit.Must(t, syscall.Mkfifo(dir+"/fifo", 0o600))
	listener, err := net.Listen("unix", dir+"/socket")
	kit.Must(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	device := unix.Mknod(dir+"/null", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3)))
	disk := unix.Mknod(dir+"/loop", unix.S_IFBLK|0o600, int(unix.Mkdev(7, 200)))
	t.Logf("devices: %v, %v", device, disk)
	compare(t, dir, selection.Upload{Paths: []string{"."}})

	project, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer project.Close()
	for _, name := range []string{"fifo", "socket", "."} {
		for _, follow := range []bool{true, false} {
			if f, err := project.Open(selection.File{Path: name, Follow: follow}); err == nil {
				t.Errorf("%s could be opened: %v", name, f)
			}
		}
	}
	if device != nil {
		return
	}
	vars, err := project.Variables(nil, nil, []string{"FF_USE_FASTZIP=false"})
	kit.Must(t, err)
	set, err := project.Select(t.Context(), []selection.Upload{{Paths: []string{"."}}}, vars)
	kit.Must(t, err)
	defer set.Close()
	if files := slices.Collect(set.Files()); len(files) != 2 || files[1].Path != "null" {
		t.Errorf("the older archiver opens devices: %v", files)
	}
}

// TestOpenFollowsNoLink: a file that has become a symbolic link is refused.
func TestOpenFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"a", "link -> a"})
	project, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer project.Close()
	if _, err := project.Open(selection.File{Path: "link"}); !errors.Is(err, unix.ELOOP) {
		t.Errorf("a link in place of a file: %v", err)
	}
	if _, err := project.Open(selection.File{Path: "gone"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that has vanished: %v", err)
	}
}

// TestUnreadable runs as another user, since root can read everything.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"ok/f", "closed/f", "closed/sub/f", "listed/f", "entered/f"})
	for name, mode := range map[string]os.FileMode{"closed": 0, "listed": 0o400, "entered": 0o100} {
		path := filepath.Join(dir, name)
		kit.Must(t, os.Chmod(path, mode))
		t.Cleanup(func() { _ = os.Chmod(path, 0o700) })
	}
	for pattern, want := range map[string][]string{
		".": {"closed", "entered", "listed/f"}, "closed/*": {"closed"}, "**/f": {"closed", "entered", "listed/f"}, "ok": nil, "entered/f": nil, "listed/f": nil, "none": nil, "ok/f/x/*": nil,
	} {
		asNobody(t, func() {
			u := selection.Upload{Paths: []string{pattern}}
			got, problems := selected(t, dir, u, nil)
			var paths []string
			for _, p := range problems {
				paths = append(paths, p.Path)
				if !errors.Is(p.Err, unix.EACCES) || p.Missed {
					t.Errorf("%s: problem %v", pattern, p)
				}
			}
			slices.Sort(paths)
			if fmt.Sprint(paths) != fmt.Sprint(want) || got["closed/f"] != "" {
				t.Errorf("%s: problems of %q, want %q; files %q", pattern, paths, want, got)
			}
		})
	}
}

// TestManyProblems: the number of problems is bounded.
func TestManyProblems(t *testing.T) {
	t.Parallel()
	dir := plant(t, nil)
	for i := range 300 {
		kit.Must(t, os.Mkdir(fmt.Sprintf("%s/%d", dir, i), 0o000))
	}
	asNobody(t, func() {
		_, problems := selected(t, dir, selection.Upload{Paths: []string{".", "$((1))"}}, nil)
		if len(problems) != 101 || !problems[100].Missed {
			t.Errorf("%d problems, want 100 and that of the pattern", len(problems))
		}
	})
}

// TestCancelled: a search ends with its context.
func TestCancelled(t *testing.T) {
	t.Parallel()
	dir := plant(t, []string{"a"})
	project, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer project.Close()
	vars, err := project.Variables(nil, nil, nil)
	kit.Must(t, err)
	ctx, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	for _, pattern := range []string{".", "**", "*"} {
		if set, err := project.Select(ctx, []selection.Upload{{Paths: []string{pattern}}}, vars); err == nil {
			t.Errorf("%s: %v, want an error", pattern, set)
		}
	}
}
