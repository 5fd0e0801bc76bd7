package podman

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestVariablesOfServices: a variable of a service is one line of podman's file, and cannot be
// two.
func TestVariablesOfServices(t *testing.T) {
	t.Parallel()
	for text, code := range map[string]fault.Code{"a b": "", "a\nB=b": fault.BadVariable, "a\x00b": fault.BadVariable} {
		f, err := newVariables(backend.Service{Variables: []string{"A=" + text}})
		if code == "" {
			kit.Must(t, errors.Join(err, f.Close()))
		} else if err == nil || fault.CodeOf(err) != code {
			t.Errorf("%q: %v, want %s", text, err, code)
		}
	}
}

// TestHoldIsGone: a process that has the id of one that was started for a job, and is another,
// is not entered.
func TestHoldIsGone(t *testing.T) {
	t.Parallel()
	var own unix.Stat_t
	kit.Must(t, unix.Stat("/proc/self/ns/user", &own))
	for _, test := range []struct {
		h    hold
		want string
	}{
		{hold{os.Getpid(), own.Ino}, ""},
		{hold{os.Getpid(), own.Ino + 1}, "the network of the job is gone"},
		{hold{1 << 30, own.Ino}, "the network of the job is gone"},
	} {
		files, err := test.h.open()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.h, err, test.want)
		}
		if _, _, err := (engine{}).within(&test.h); (err == nil) != (test.want == "") {
			t.Errorf("%+v: within: %v", test.h, err)
		}
		kit.Must(t, closeAll(files))
	}
}

// TestReadIDs: the configuration of a container, in a folder of the job's user, is read there
// and nowhere else.
func TestReadIDs(t *testing.T) {
	t.Parallel()
	root, id := t.TempDir(), strings.Repeat("a", 64)
	file := func(id string) string {
		return filepath.Join(root, "overlay-containers", id, "userdata", "config.json")
	}
	const config = `{"process":{"user":{"uid":1000,"gid":1001}}}`
	put := func(id string, write func(path string) error) string {
		t.Helper()
		kit.Must(t, os.MkdirAll(filepath.Dir(file(id)), 0o700))
		kit.Must(t, write(file(id)))
		return id
	}
	content := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	out := filepath.Join(t.TempDir(), "config.json")
	kit.Must(t, os.WriteFile(out, []byte(config), 0o600))
	if got, err := readIDs(root, put(id, content(config))); err != nil || got.UID != 1000 || got.GID != 1001 {
		t.Errorf("%+v, %v", got, err)
	}
	for name, other := range map[string]string{
		"no id":    put("x", content(config)),
		"a path":   "../overlay-containers/" + id,
		"none":     strings.Repeat("b", 64),
		"a link":   put(strings.Repeat("c", 64), func(path string) error { return os.Symlink(out, path) }),
		"no JSON":  put(strings.Repeat("d", 64), content("{")),
		"too long": put(strings.Repeat("e", 64), content(strings.Repeat(" ", maxConfig)+config)),
	} {
		if got, err := readIDs(root, other); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if _, err := readIDs(root+"/none", id); err == nil {
		t.Error("without a folder there are ids")
	}
}
