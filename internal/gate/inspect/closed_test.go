package inspect_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate"
	"rolecall/internal/gate/inspect"
	"rolecall/test/kit"
)

// closedDir names the variable with the folder of a test as a user without rights of root.
const closedDir = "INSPECT_CLOSED_DIR"

// asJob runs the test as such a user, in a child process, and returns its folder there. In the
// parent it returns "". The folder has one of root, which shows names only.
func asJob(t *testing.T) string {
	t.Helper()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "a user who has no rights of root")
		dir := kit.OpenDir(t)
		kit.Must(t, os.MkdirAll(filepath.Join(dir, "foreign/folder"), 0o755))
		kit.Must(t, os.WriteFile(filepath.Join(dir, "foreign/file"), nil, 0o600))
		kit.Must(t, os.Chmod(filepath.Join(dir, "foreign"), 0o744))
		kit.Must(t, os.Mkdir(filepath.Join(dir, "another's"), 0o700))
		kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 61933, Gid: 61933}}, closedDir+"="+dir)
		return ""
	}
	return os.Getenv(closedDir)
}

// closeAll writes the secret into files of a folder, whose names are the keys, and then closes
// files and folders.
func closeAll(t *testing.T, dir string, modes map[string]os.FileMode) {
	t.Helper()
	for name := range modes {
		path := filepath.Join(dir, name)
		if !strings.HasSuffix(name, "file") {
			path = filepath.Join(path, "file")
		}
		kit.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		kit.Must(t, os.WriteFile(path, []byte(leftSecret), 0o600))
	}
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(modes))) { // first what is inside
		kit.Must(t, os.Chmod(filepath.Join(dir, name), modes[name]))
	}
}

// TestRemoveLeftClosed: what a script has closed to its own user is opened, searched and
// removed. What another user has closed is passed over.
func TestRemoveLeftClosed(t *testing.T) {
	t.Parallel()
	dir := asJob(t)
	if dir == "" {
		return
	}
	closeAll(t, dir, map[string]os.FileMode{"none": 0, "none/deep": 0, "names": 0o400, "enter": 0o100, "read": 0o500, "file": 0, "write-file": 0o200})
	report, err := inspect.RemoveLeft(t.Context(), leftOrder(time.Time{}, dir))
	if err != nil || len(report.Found) != 7 || len(report.Refused) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	kit.Must(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, _ error) error {
		if strings.HasSuffix(path, "file") && !strings.Contains(path, "foreign") {
			t.Errorf("%s is there: %v", path, entry)
		}
		return nil
	}))
}

// says returns what a report refuses, in order.
func says(report gate.Report, dir string) []string {
	var all []string
	for _, p := range report.Refused {
		all = append(all, strings.TrimPrefix(p.Name, dir+"/")+": "+p.Says)
	}
	return all
}

// TestRemoveLeftUnread: what cannot be opened is named, without a secret in its name.
func TestRemoveLeftUnread(t *testing.T) {
	t.Parallel()
	dir := asJob(t)
	if dir == "" {
		return
	}
	secret := strings.ReplaceAll(leftSecret, "/", "%2F")
	closeAll(t, dir, map[string]os.FileMode{"none": 0, "names": 0o400, secret: 0, "file": 0})
	kit.Must(t, kit.Deny(unix.EPERM, kit.Call{Number: unix.SYS_FCHMODAT}))
	report, err := inspect.RemoveLeft(t.Context(), leftOrder(time.Time{}, dir))
	kit.Must(t, err)
	want := []string{
		"[MASKED]: secret access key: its name holds a secret; remove it by hand",
		"[MASKED]: permission denied", "file: permission denied", "names: permission denied", "none: permission denied",
	}
	if got := says(report, dir); !slices.Equal(got, want) || strings.Contains(fmt.Sprint(report), secret) {
		t.Errorf("%q, want %q; found %v", got, want, report.Found)
	}
}

// TestRemoveLeftLong: files and folders whose paths are too long to open are named.
func TestRemoveLeftLong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := strings.Repeat("x", 200)
	at := folder(t, dir)
	for length := len(dir); length < unix.PathMax-2*len(name); length += 1 + len(name) {
		kit.Must(t, unix.Mkdirat(at, name, 0o700))
		next, err := unix.Openat(at, name, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		kit.Must(t, err)
		t.Cleanup(func() { kit.Must(t, unix.Close(next)) })
		at = next
	}
	for _, rest := range []string{"d", "f"} {
		long := strings.Repeat(rest, 255)
		if kit.Must(t, unix.Mkdirat(at, long, 0o700)); rest == "f" {
			kit.Must(t, unix.Unlinkat(at, long, unix.AT_REMOVEDIR))
			kit.Must(t, unix.Mknodat(at, long, unix.S_IFREG|0o600, 0))
		}
	}
	report, err := inspect.RemoveLeft(t.Context(), leftOrder(time.Time{}, dir))
	if got := strings.Join(says(report, dir), "\n"); err != nil || strings.Count(got, "d: file name too long") != 1 || strings.Count(got, "f: file name too long") != 1 {
		t.Errorf("%v, %s", err, got)
	}
}

// TestRemoveLeftBroken: if the entries of a folder cannot be read, the report says that not all
// was searched, unless the folder is gone.
func TestRemoveLeftBroken(t *testing.T) {
	t.Parallel()
	for errno, want := range map[unix.Errno][]string{unix.EIO: {"/: not all was searched: input/output error"}, unix.ENOENT: nil} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			kit.Must(t, kit.Deny(errno, kit.Call{Number: unix.SYS_GETDENTS64}))
			report, err := inspect.RemoveLeft(t.Context(), leftOrder(time.Time{}, "/etc"))
			if err != nil || !slices.Equal(says(report, "/etc"), want) {
				t.Errorf("%+v, %v", report, err)
			}
		})
	}
}
