package podman

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/script"
	"rolecall/test/kit"
)

// apartly calls does in a thread that ends afterwards: what starts a program for a job takes
// rights from its thread.
func apartly(does func() error) error {
	done := make(chan error)
	go func() { done <- does() }()
	return <-done
}

// inRange lets the programs of an engine run as a user, with the ids of a range of nobody's.
func (f *faked) inRange() {
	f.as = script.User{UID: 65534, GID: 65534}
	f.place.IDs = script.Namespace{First: firstRange + ranges*(rangeSize+1), Count: rangeSize}
}

// TestNotGivenBack: as long as files may belong to a user of a container, the file that says so
// stays, so that the next end of the job gives them back.
func TestNotGivenBack(t *testing.T) {
	kit.NeedRoot(t, "files of other users")
	f := newFaked(t, nil)
	f.inRange()
	kit.Must(t, os.WriteFile(f.place.Own+"/file", nil, 0o600)) // root's
	lent := filepath.Join(f.place.Dir, lentFile)
	kit.Must(t, f.lend(t.Context(), container{}))
	err := apartly(func() error { return f.takeBack(t.Context()) })
	expect(t, "no chown", err, "", "give the files of the container to the job's user: ")
	if _, err := os.Lstat(lent); err != nil {
		t.Errorf("what says that files are lent: %v", err)
	}
	f.add("chown", "exit 1") // a file of the admin's; it goes on with all others
	if err := apartly(func() error { return f.takeBack(t.Context()) }); err != nil {
		t.Errorf("some files: %v", err)
	}
	if _, err := os.Lstat(lent); !os.IsNotExist(err) {
		t.Errorf("what says that files are lent: %v", err)
	}
}

// TestForeign: files that cannot be seen may be of another user.
func TestForeign(t *testing.T) {
	f := newFaked(t, nil)
	f.as = script.User{UID: uint32(os.Geteuid()), GID: uint32(os.Getegid())}
	kit.Must(t, os.Mkdir(f.place.Slot, 0o700))
	kit.Must(t, os.WriteFile(f.place.Slot+"/file", nil, 0o600))
	if f.hasForeign(f.place.Slot) {
		t.Error("all files are the user's")
	}
	if !f.hasForeign(f.place.Slot + "/none") {
		t.Error("a folder that is gone has no foreign files")
	}
	kit.Must(t, os.Symlink("/", f.place.Dir+"/out"))
	f.as.GID++
	if !f.hasForeign(f.place.Slot) {
		t.Error("files of another group are the user's")
	}
}

// TestNotLent: a script does not run if nothing would say that its files are lent, if the sign of
// its begin cannot be made, or without one of its credentials.
func TestNotLent(t *testing.T) {
	for name, test := range map[string]struct {
		change func(f *faked, s *backend.Script)
		want   string
	}{
		"no folder for the note": {func(f *faked, _ *backend.Script) { f.place.Dir += "/none" }, "/lent: no such file"},
		"no own folder":          {func(f *faked, _ *backend.Script) { f.place.Own += "/none" }, "/.rolecall-began-"},
		"no credentials":         {func(_ *faked, s *backend.Script) { s.Files = []string{"/none/env"} }, "/none/env: no such file"},
	} {
		f := newFaked(t, says{}.podman())
		s := backend.Script{}
		test.change(&f, &s)
		_, err := f.run(t.Context(), s, container{})
		expect(t, name, err, "", test.want)
		if n := f.calls("podman"); n > 0 {
			t.Errorf("%s: podman was started %d times", name, n)
		}
		if left, _ := filepath.Glob(f.place.Own + "/.rolecall-began-*"); len(left) > 0 {
			t.Errorf("%s: left %q", name, left)
		}
	}
	f := newFaked(t, map[string]string{"chown": ""})
	f.place.Dir += "/none"
	if expect(t, "files", f.lend(t.Context(), container{UID: 1000, GID: 1000}), "", "/lent: no such file"); f.calls("chown") > 0 {
		t.Error("files are lent, and nothing says so")
	}
}

// TestConfirm: an exit code that podman has too is that of the script only if podman says so of
// the container that was started now.
func TestConfirm(t *testing.T) {
	kit.NeedRoot(t, "programs in a namespace")
	start := time.Unix(1_000_000, 0)
	const died = "the container engine ended before the script"
	for name, test := range map[string]struct{ podman, want string }{
		"so it is":          {"echo exited 127 1000000", ""},
		"another code":      {"echo exited 126 1000000", died},
		"it still runs":     {"echo running 127 1000000", died},
		"of an earlier one": {"echo exited 127 999999", "podman did not start the container of the job"},
		"never started":     {"echo created 127 -62135596800", "podman did not start the container of the job"},
		"nothing":           {"", died},
		"no number":         {"echo exited x 1000000", died},
		"no time":           {"echo exited 127", died},
		"podman fails":      {"echo exited 127 1000000; exit 125", died},
	} {
		f := newFaked(t, map[string]string{"podman": test.podman})
		f.inRange()
		kit.Must(t, os.WriteFile(f.log, nil, 0o600))
		kit.Must(t, os.Chmod(f.log, 0o666))
		err := apartly(func() error { return f.confirm(127, start) })
		if test.want != "" {
			expect(t, name, err, fault.Engine, test.want)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if f.calls("podman") != 1 {
			t.Errorf("%s: podman was started %d times", name, f.calls("podman"))
		}
	}
}

// TestJudge: a script whose podman was killed has no exit code, nor has one that no shell has
// read.
func TestJudge(t *testing.T) {
	f := newFaked(t, nil)
	_, err := f.judge(t.Context(), script.Result{Signaled: true}, true, time.Now())
	expect(t, "killed", err, fault.Engine, "podman was killed before the script ended")
	_, err = f.judge(t.Context(), script.Result{Code: 0}, false, time.Now())
	expect(t, "no shell, and podman does not say", err, fault.Engine, "the container engine ended before the script")
}
