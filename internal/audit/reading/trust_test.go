package reading_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/audit/reading"
	"rolecall/test/kit"
)

// TestTrust: files that others could have written are not read, and an error names them. Links
// are not followed. Of a folder that is open to others nothing is read.
func TestTrust(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl": lines(6, 9), "audit.jsonl.1": lines(3, 6), "audit.jsonl.2": lines(0, 3)})
	kit.Must(t, os.Chmod(path+".1", 0o620))
	kit.Must(t, os.Rename(path+".2", filepath.Join(filepath.Dir(path), "elsewhere")))
	kit.Must(t, os.Symlink("elsewhere", path+".2"))
	kit.Must(t, os.Mkdir(path+".3", 0o700))
	l := open(t, path)
	both(t, "open to others", l, reading.Filter{}, ids(6, 9))
	for _, want := range []string{"audit.jsonl.1 has mode 0620, so others may write to it", "audit.jsonl.2: too many levels of symbolic links", "audit.jsonl.3 is not a regular file"} {
		if err := l.Err(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q in\n%v", want, err)
		}
	}
	kit.Must(t, os.Chmod(filepath.Dir(path), 0o770))
	for _, open := range []func() error{
		func() error { _, err := reading.Open(path); return err },
		func() error { _, err := reading.OpenAt(path, reading.Place{}); return err },
		func() error { _, err := reading.End(path); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "has mode 0770, so others may write to it") {
			t.Errorf("an open folder: %v", err)
		}
	}
	if _, err := reading.Open("audit.jsonl"); err == nil {
		t.Error("a relative path was opened")
	}
}

// TestForeignFile: a file of another user is not read.
func TestForeignFile(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a file of another user")
	path := newLog(t, map[string]string{"audit.jsonl": lines(0, 9)})
	kit.Must(t, os.Chown(path, 65534, 0))
	if _, err := reading.Open(path); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Error(err)
	}
	kit.Must(t, os.WriteFile(path+".1", []byte(lines(9, 10)), 0o600))
	l := open(t, path)
	if got := oldest(l, reading.Filter{}); len(got) != 1 || l.Err() == nil || !strings.Contains(l.Err().Error(), "belongs to user 65534") {
		t.Errorf("%q, %v", got, l.Err())
	}
}
