package state_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// victim is what nobody may touch.
const victim = "the victim's own"

// plant is something that a job puts where the driver wants to make its own.
type plant struct {
	name string
	put  func(t *testing.T, path, target string)
}

// plants are all kinds of things. Each put also gets the path of a victim.
var plants = []plant{
	{"link to a folder", func(t *testing.T, path, target string) { kit.Must(t, os.Symlink(target, path)) }},
	{"link to a file", func(t *testing.T, path, target string) { kit.Must(t, os.Symlink(filepath.Join(target, "file"), path)) }},
	{"dangling link", func(t *testing.T, path, target string) { kit.Must(t, os.Symlink(filepath.Join(target, "new"), path)) }},
	{"FIFO", func(t *testing.T, path, _ string) { kit.Must(t, syscall.Mkfifo(path, 0o666)) }},
	{"file", func(t *testing.T, path, _ string) { kit.Must(t, os.WriteFile(path, []byte(victim), 0o666)) }},
	{"folder", func(t *testing.T, path, _ string) {
		kit.Must(t, os.Mkdir(path, 0o777))
		kit.Must(t, os.WriteFile(filepath.Join(path, "file"), []byte(victim), 0o666))
	}},
	{"socket", func(t *testing.T, path, _ string) {
		fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		kit.Must(t, err)
		defer func() { kit.Must(t, syscall.Close(fd)) }()
		t.Chdir(filepath.Dir(path)) // the path of a socket must be short
		kit.Must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(path)}))
	}},
}

// newVictim makes a folder with a file that nobody may touch.
func (p place) newVictim(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(p.dir, "victim")
	kit.Must(t, os.Mkdir(dir, 0o755))
	kit.Must(t, os.WriteFile(filepath.Join(dir, "file"), []byte(victim), 0o644))
	return dir
}

// untouched checks that the victim is as it was.
func (p place) untouched(t *testing.T) {
	t.Helper()
	want := map[string]string{"file": "-rw-r--r--"}
	if diff := cmp.Diff(want, modes(t, filepath.Join(p.dir, "victim"))); diff != "" {
		t.Errorf("the victim's folder differs:\n%s", diff)
	}
	if content, err := os.ReadFile(filepath.Join(p.dir, "victim", "file")); err != nil || string(content) != victim {
		t.Errorf("the victim's file holds %q, %v", content, err)
	}
}

// within fails a test whose part hangs, as one that opens a FIFO would.
func within(t *testing.T, limit time.Duration, part func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		part()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("it hangs")
	}
}

// TestPlantedRoot: the folder of all jobs is planted. A folder would be used,
// since it belongs to the driver's user, unless it is open to others. For programs that
// remove jobs, what is no folder has none.
func TestPlantedRoot(t *testing.T) {
	for _, plant := range plants {
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			plant.put(t, p.root, p.newVictim(t))
			before := modes(t, p.dir)
			want := "not a folder but a link or a file; remove it"
			if plant.name == "folder" {
				want = "is open to other users (mode 0755); chmod it to 0700"
			}
			within(t, 5*time.Second, func() {
				_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
				wantError(t, "Create", err, want)
				_, err = state.Open(p.root, key(7))
				wantError(t, "Open", err, want)
				kit.Must(t, state.Remove(p.root, key(7)))
				_, err = state.Finish(t.Context(), p.root, key(7), nil, nil)
				kit.Must(t, err)
				if removed, err := state.Sweep(t.Context(), p.root, nil, nil); err != nil || len(removed) > 0 {
					t.Errorf("Sweep = %v, %v", removed, err)
				}
			})
			if diff := cmp.Diff(before, modes(t, p.dir)); diff != "" {
				t.Errorf("files differ:\n%s", diff)
			}
			p.untouched(t)
		})
	}
}

// TestPlantedJobFolder: the job's folder in the root is planted. Create replaces
// a folder, as what an earlier attempt left.
func TestPlantedJobFolder(t *testing.T) {
	for _, plant := range plants {
		if plant.name == "folder" {
			continue
		}
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			kit.Must(t, os.Mkdir(p.root, 0o700))
			plant.put(t, p.folder(7), p.newVictim(t))
			before := modes(t, filepath.Join(p.dir, "victim"))
			within(t, 5*time.Second, func() {
				const want = "not a folder but a link or a file; remove it"
				_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
				wantError(t, "Create", err, want)
				_, err = state.Open(p.root, key(7))
				wantError(t, "Open", err, want)
				wantError(t, "Remove", state.Remove(p.root, key(7)), want)
			})
			if diff := cmp.Diff(before, modes(t, filepath.Join(p.dir, "victim"))); diff != "" {
				t.Errorf("the victim's folder differs:\n%s", diff)
			}
			p.untouched(t)
			p.noSecret(t)
		})
	}
}

// TestPlantedEnvFile: something stands where the env file goes when it is to be
// written, and again when it is to be read. Write leaves it alone, Read refuses
// it, and Remove takes the name away but not what a link points to.
func TestPlantedEnvFile(t *testing.T) {
	for _, plant := range plants {
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			f := create(t, p, 7)
			plant.put(t, p.env(7), p.newVictim(t))
			before := modes(t, p.dir)
			within(t, 5*time.Second, func() {
				wantError(t, "Write", f.Write(credentials()), "already exists, and is left unchanged")
				if _, err := f.Read(); err == nil {
					t.Error("Read takes it")
				}
			})
			if diff := cmp.Diff(before, modes(t, p.dir)); diff != "" {
				t.Errorf("files differ:\n%s", diff)
			}
			within(t, 5*time.Second, func() { p.remove(t, 7) })
			p.untouched(t)
			p.gone(t, 7)
		})
	}
}

// TestPlantedRecord: a record that is none is no record, and never waited for.
func TestPlantedRecord(t *testing.T) {
	for _, plant := range plants {
		t.Run(plant.name, func(t *testing.T) {
			p := newPlace(t)
			p.write(t, 7)
			kit.Must(t, os.Remove(filepath.Join(p.folder(7), "job.json")))
			plant.put(t, filepath.Join(p.folder(7), "job.json"), p.newVictim(t))
			within(t, 5*time.Second, func() {
				_, err := state.Open(p.root, key(7))
				wantError(t, "Open", err, "job.json: ")
				p.remove(t, 7)
			})
			p.untouched(t)
			p.noSecret(t)
		})
	}
}
