package suspension_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/suspension"
	"rolecall/test/kit"
)

// suspend suspends tenants in a file.
func suspend(t *testing.T, f suspension.File, tenants ...string) {
	t.Helper()
	kit.Must(t, f.Change(func(l suspension.List) (suspension.List, error) {
		for _, name := range tenants {
			l = l.With(suspension.Suspension{Tenant: name, Since: since()})
		}
		return l, nil
	}))
}

// names returns the tenants in a file.
func names(t *testing.T, f suspension.File) []string {
	t.Helper()
	l, err := f.Read()
	kit.Must(t, err)
	var all []string
	for _, s := range l {
		all = append(all, s.Tenant)
	}
	return all
}

// TestChange: the file is replaced as a whole, anybody can read it, and without suspensions it is
// gone. What has ended goes with the next change.
func TestChange(t *testing.T) {
	t.Parallel()
	f := suspension.File{Path: filepath.Join(t.TempDir(), "new", "suspended.json")}
	suspend(t, f, "alpha", "beta", "alpha")
	info, err := os.Stat(f.Path)
	kit.Must(t, err)
	if got := names(t, f); !slices.Equal(got, []string{"beta", "alpha"}) || info.Mode() != 0o644 {
		t.Errorf("%q, mode %v", got, info.Mode())
	}
	kit.Must(t, f.Change(func(l suspension.List) (suspension.List, error) {
		return append(l, suspension.Suspension{All: true, Since: since(), Until: time.Now()}), nil
	}))
	kit.Must(t, f.Change(func(l suspension.List) (suspension.List, error) {
		if len(l) != 2 {
			t.Errorf("it has %+v", l)
		}
		return l.Without("alpha"), nil
	}))
	if got := names(t, f); !slices.Equal(got, []string{"beta"}) {
		t.Errorf("%q", got)
	}
	for range 2 {
		kit.Must(t, f.Change(func(suspension.List) (suspension.List, error) { return nil, nil }))
	}
	if entries, err := os.ReadDir(filepath.Dir(f.Path)); err != nil || len(entries) != 0 {
		t.Errorf("%v %v is left", entries, err)
	}
}

// TestTogether: of two that change the file at once, both count.
func TestTogether(t *testing.T) {
	t.Parallel()
	f := newFile(t, "")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() { suspend(t, f, fmt.Sprintf("t%d", i)) })
	}
	all.Wait()
	if got := names(t, f); len(got) != 20 {
		t.Errorf("%q", got)
	}
}

// TestUnchanged: what cannot be done changes nothing, and a file that cannot be read is not replaced.
func TestUnchanged(t *testing.T) {
	t.Parallel()
	f := newFile(t, "")
	suspend(t, f, "alpha")
	no := errors.New("no")
	if err := f.Change(func(suspension.List) (suspension.List, error) { return nil, no }); !errors.Is(err, no) || len(names(t, f)) != 1 {
		t.Errorf("%v, %q", err, names(t, f))
	}
	kit.Must(t, os.WriteFile(f.Path, []byte("{"), 0o600))
	all := func(suspension.List) (suspension.List, error) {
		t.Error("it is changed")
		return nil, nil
	}
	if err := f.Change(all); fault.CodeOf(err) != fault.BadSuspension {
		t.Errorf("%v", err)
	}
	if content, err := os.ReadFile(f.Path); err != nil || string(content) != "{" {
		t.Errorf("%q %v", content, err)
	}
}

// TestUnwritable: whoever suspends is told if that had no effect.
func TestUnwritable(t *testing.T) {
	t.Parallel()
	nothing := func(l suspension.List) (suspension.List, error) { return l, nil }
	open := newFile(t, "")
	kit.Must(t, os.Chmod(filepath.Dir(open.Path), 0o777))
	odd := newFile(t, "")
	long := func(l suspension.List) (suspension.List, error) {
		return l.With(suspension.Suspension{Tenant: "alpha", Since: since(), Reason: "a\nb"}), nil
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"a folder of others":    {open.Change(nothing), "others may write to it"},
		"a folder below none":   {suspension.File{Path: t.TempDir() + "/a/b/suspended.json"}.Change(nothing), "no such file"},
		"what cannot be read":   {odd.Change(long), "cannot be printed on one line"},
		"a file for the folder": {suspension.File{Path: os.Args[0] + "/suspended.json"}.Change(nothing), "not a directory"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, test.err, test.want)
		}
	}
}
