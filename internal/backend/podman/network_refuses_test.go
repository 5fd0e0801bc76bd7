package podman

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend/host"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// null opens n files that are no namespaces.
func null(t *testing.T, n int) []*os.File {
	t.Helper()
	var files []*os.File
	for range n {
		f, err := os.Open(os.DevNull)
		kit.Must(t, err)
		t.Cleanup(func() { _ = f.Close() })
		files = append(files, f)
	}
	return files
}

// TestNotInNetwork: what is for the network of a job is not done in that of the host.
func TestNotInNetwork(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	called := func() error { return errors.New("it was done on the host") }
	if err := inNetwork(null(t, 1)[0], called); err == nil || err.Error() != "invalid argument" {
		t.Errorf("no namespace: %v", err)
	}
	data := func(user string) string { return fmt.Sprintf(`{%s"podman":{"dir":%q}}`, user, dir) }
	b := New(host.New())
	for record, want := range map[string]string{`{`: "cannot be read from its record", "{" + nobody + `"cgroup":"x"}`: "cannot be read from its record", data(`"as_root":true,`): "names no unix user"} {
		users, err := b.Users(json.RawMessage(record))
		if expect(t, "users of "+record, err, "", want); len(users) > 0 {
			t.Errorf("users of %s: %+v", record, users)
		}
	}
	for name, test := range map[string]struct {
		data string
		file string // content of the file of the container; empty: there is none
		code fault.Code
		want string
	}{
		"no record":    {`{`, "", "", "the container of the job cannot be read from its record"},
		"no container": {`{"cgroup":"x"}`, "", "", "the container of the job cannot be read from its record"},
		"no user":      {data(`"as_root":true,`), "", "", "the record of a job with an image names no unix user"},
		"no file":      {data(nobody), "", "", "the container of the job: "},
		"a broken one": {data(nobody), "{", "", "the container of the job: "},
		"a gone hold":  {data(nobody), `{"hold":{"pid":999999999,"id":1}}`, fault.Engine, "the network of the job is gone"},
		"another hold": {data(nobody), fmt.Sprintf(`{"hold":{"pid":%d,"id":1}}`, os.Getpid()), fault.Engine, "the network of the job is gone"},
	} {
		_ = os.Remove(filepath.Join(dir, containerFile))
		if test.file != "" {
			kit.Must(t, os.WriteFile(filepath.Join(dir, containerFile), []byte(test.file), 0o600))
		}
		expect(t, name, b.Network(json.RawMessage(test.data), called), test.code, test.want)
	}
	kit.Must(t, os.WriteFile(filepath.Join(dir, containerFile), []byte(`{}`), 0o600))
	expect(t, "a job without a network of its own", b.Network(json.RawMessage(data(nobody)), called), "", "it was done on the host")
}

// dead returns the id of a process that has ended and is not reaped. It still has a user
// namespace, but no other.
func dead(t *testing.T) int {
	t.Helper()
	cmd := exec.Command("true")
	kit.Must(t, cmd.Start())
	t.Cleanup(func() { kit.Must(t, cmd.Wait()) })
	kit.Must(t, unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil))
	return cmd.Process.Pid
}

// TestHold: only the process that was started for the job keeps its network. A hold that is
// gone leaves no descriptor.
func TestHold(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	var stat syscall.Stat_t
	kit.Must(t, syscall.Stat("/proc/self/ns/user", &stat))
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		kit.Must(t, err)
		return len(entries)
	}
	first, err := (&hold{os.Getpid(), stat.Ino}).open() // the runtime opens what it needs for files
	kit.Must(t, err)
	kit.Must(t, closeAll(first))
	zombie := dead(t)
	before := open()
	for name, test := range map[string]struct {
		hold hold
		want string
	}{
		"it is gone":         {hold{999_999_999, stat.Ino}, "the network of the job is gone: open /proc/999999999/ns/user"},
		"another process":    {hold{os.Getpid(), stat.Ino + 1}, "the network of the job is gone"},
		"it is not reaped":   {hold{zombie, stat.Ino}, "the network of the job is gone: open /proc/"},
		"the process itself": {hold{os.Getpid(), stat.Ino}, ""},
	} {
		files, err := test.hold.open()
		if test.want != "" {
			expect(t, name, err, "", test.want)
		} else if err != nil || len(files) != len(kinds()) {
			t.Errorf("%s: %v, %v", name, files, err)
		}
		kit.Must(t, closeAll(files))
		if after := open(); after != before {
			t.Errorf("%s: %d descriptors before, %d after", name, before, after)
		}
	}
}

// TestNoHold: a process that does not start, or that is not known, keeps no network.
func TestNoHold(t *testing.T) {
	for name, test := range map[string]struct{ sh, want string }{
		"it fails":               {"exit 1", "sh ended with 1"},
		"no id":                  {"echo x", `strconv.Atoi: parsing "x"`},
		"nothing":                {"", `strconv.Atoi: parsing ""`},
		"two":                    {"echo 1; echo 2", `strconv.Atoi: parsing "1\n2"`},
		"a process that is gone": {"echo 999999999", "no such file or directory"},
	} {
		h, err := newFaked(t, map[string]string{"sh": test.sh}).newHold(t.Context())
		if expect(t, name, err, fault.Engine, "podman cannot make the network of the job: "+test.want); h != nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// TestNotConnected: a network that cannot be connected is the admin's to correct; one that
// shall not be connected needs no program.
func TestNotConnected(t *testing.T) {
	f := newFaked(t, map[string]string{"nsenter": "echo it has ended at once >&2; exit 1"})
	f.joined = null(t, 3)
	if err := f.connect(t.Context()); err != nil || f.calls("nsenter") > 0 {
		t.Errorf("network none: %v", err)
	}
	f.place.Network = hostNetwork
	expect(t, "it ends", f.connect(t.Context()), fault.NoContainers, "cannot be connected: sh ended with 1: it has ended at once")
}

// TestRanges: a range of ids that another user has is not given, whatever the file that says
// whose it is. Files of another tenant may have these ids.
func TestRanges(t *testing.T) {
	t.Parallel()
	const uid = 1000
	owned := func(dir string, slot int, to string) { kit.Must(t, os.Symlink(to, fmt.Sprintf("%s/%d", dir, slot))) }
	for name, test := range map[string]struct {
		make func(dir string)
		slot uint32
		want string // of the error; empty: there is the range slot
	}{
		"none is taken":      {func(string) {}, 1000, ""},
		"it is mine":         {func(dir string) { owned(dir, 1000, "1000") }, 1000, ""},
		"another has it":     {func(dir string) { owned(dir, 1000, "2000"); owned(dir, 1001, "5096") }, 1002, ""},
		"garbage":            {func(dir string) { owned(dir, 1000, "nobody") }, 0, `which is no uid; remove it`},
		"a number too large": {func(dir string) { owned(dir, 1000, "4294968296") }, 0, `which is no uid; remove it`},
		"a file":             {func(dir string) { kit.Must(t, os.WriteFile(dir+"/1000", nil, 0o600)) }, 0, "invalid argument"},
		"no folder":          {func(dir string) { kit.Must(t, os.Remove(dir)) }, 0, "symlink "},
		"all are taken": {func(dir string) {
			for i := range ranges {
				owned(dir, i, "2000")
			}
		}, 0, "all 4096 ranges of ids are taken"},
	} {
		images := t.TempDir()
		dir := filepath.Join(images, idsDir)
		kit.Must(t, os.Mkdir(dir, 0o700))
		test.make(dir)
		got, err := reserve(dir, uid)
		seen, seenErr := RangeOf(images, uid) // which one the user would get
		if test.want == "" && (err != nil || seenErr != nil || got != seen || got.First != firstRange+test.slot*(rangeSize+1)) {
			t.Errorf("%s: %+v, %v, seen %+v, %v, want range %d", name, got, err, seen, seenErr, test.slot)
		}
		if test.want == "" {
			continue
		}
		expect(t, name, err, "", test.want)
		if name != "no folder" { // then the first range is free
			expect(t, name+", seen", seenErr, "", test.want)
		}
	}
}
