package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// mine reports whether a uid is that of this process.
func mine(uid uint32) bool { return int(uid) == os.Geteuid() }

// TestReadOwn: a file of the job is read once, and is gone then. What is no file of the job's own is
// refused, whatever it leads to, and is gone too; a folder goes with the job.
func TestReadOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make func(t *testing.T, path, other string)
		is   func(uint32) bool
		want string // the content, or how the error begins
		odd  bool
	}{
		"nothing": {nil, mine, "", false},
		"a file":  {func(t *testing.T, path, _ string) { t.Helper(); kit.Must(t, os.WriteFile(path, []byte("A=1"), 0o600)) }, mine, "A=1", false},
		"as long": {func(t *testing.T, path, _ string) {
			t.Helper()
			kit.Must(t, os.WriteFile(path, []byte("0123456789"), 0o600))
		}, mine, "0123456789", false},
		"too long": {func(t *testing.T, path, _ string) {
			t.Helper()
			kit.Must(t, os.WriteFile(path, []byte("0123456789a"), 0o600))
		}, mine, "has 11 bytes, and may have 10", true},
		"a link":        {func(t *testing.T, path, other string) { t.Helper(); kit.Must(t, os.Symlink(other, path)) }, mine, "is not a regular file", true},
		"a second name": {func(t *testing.T, path, other string) { t.Helper(); kit.Must(t, os.Link(other, path)) }, mine, "has a second name", true},
		"a FIFO":        {func(t *testing.T, path, _ string) { t.Helper(); kit.Must(t, unix.Mkfifo(path, 0o600)) }, mine, "is not a regular file", true},
		"a socket":      {func(t *testing.T, path, _ string) { t.Helper(); kit.Must(t, unix.Mknod(path, unix.S_IFSOCK|0o600, 0)) }, mine, "is not a regular file", true},
		"of another":    {func(t *testing.T, path, _ string) { t.Helper(); kit.Must(t, os.WriteFile(path, []byte("A=1"), 0o600)) }, func(uint32) bool { return false }, "does not belong to the user of the job", true},
		"a folder":      {func(t *testing.T, path, _ string) { t.Helper(); kit.Must(t, os.Mkdir(path, 0o700)) }, mine, "is not a regular file", true},
	} {
		p := newPlace(t)
		f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Own: state.OwnHere}, "")
		kit.Must(t, err)
		t.Cleanup(f.Close)
		other, path := filepath.Join(p.dir, "other"), filepath.Join(f.OwnDir(), "out")
		kit.Must(t, os.WriteFile(other, []byte("of root"), 0o600))
		if test.make != nil {
			test.make(t, path, other)
		}
		content, err := f.ReadOwn("out", 10, test.is)
		_, odd := errors.AsType[state.OwnError](err)
		if text := string(content); odd != test.odd || err == nil && text != test.want || err != nil && (!strings.HasPrefix(err.Error(), test.want) || text != "") {
			t.Errorf("%s: %q, %v, want %q", name, content, err, test.want)
		}
		if info, err := os.Lstat(path); err == nil && !info.IsDir() {
			t.Errorf("%s: it is left", name)
		}
		if rest, _ := os.ReadFile(other); string(rest) != "of root" {
			t.Errorf("%s: the other file has %q", name, rest)
		}
	}
}

// TestConceal: more secrets of a job are among its secrets, each once, and what was issued stays.
func TestConceal(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.writeFile(t)
	before, err := f.ReadAll()
	kit.Must(t, err)
	for range 2 {
		kit.Must(t, f.Conceal([]mask.Named{{Kind: "handed-over A", Value: mask.NewSecret("value-of-A")}, {Kind: "again", Value: mask.NewSecret(secret)}}))
	}
	kit.Must(t, f.Conceal(nil))
	after, err := f.ReadAll()
	kit.Must(t, err)
	if n := len(after.Secrets); n != len(before.Secrets)+1 || after.Secrets[n-1].Kind != "handed-over A" || len(after.Set) != len(before.Set) {
		t.Errorf("%v became %v", before.Secrets, after.Secrets)
	}
}
