package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestForeignFiles: a file of another user is neither a record nor what was issued.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "files of another user")
	for _, name := range []string{"job.json", "issued.json"} {
		p := newPlace(t)
		p.write(t, 7)
		path := filepath.Join(p.folder(7), name)
		kit.Must(t, os.Chown(path, otherUID, otherUID))
		f, err := state.Open(p.root, key(7))
		if err == nil {
			_, err = f.Read()
			f.Close()
		}
		wantError(t, name, err, path+" belongs to user 65532, not to user 0 who runs the driver; remove it")
	}
}

// TestRemovedByAnother: who still has the folder of an attempt open that another process
// has removed, touches nothing of the next attempt.
func TestRemovedByAnother(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(f *state.Folder) error{
		"End": func(f *state.Folder) error { return f.End(noReap(t)) }, "Remove": (*state.Folder).Remove,
	} {
		p := newPlace(t)
		f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Backend: "toy"}, p.builds)
		kit.Must(t, err)
		defer f.Close()
		p.remove(t, 7)
		p.write(t, 7)
		before := modes(t, p.dir)
		if err := end(f); err != nil || fmt.Sprint(modes(t, p.dir)) != fmt.Sprint(before) {
			t.Errorf("%s: %v, and of %v is left %v", name, err, before, modes(t, p.dir))
		}
	}
}

// TestRunnerDiesAfterTheCopy: the runner dies while the files of the job are written,
// after the driver's own copy. Write itself then removes both. If the runner is as slow to
// die as the files are to be written, another try follows.
func TestRunnerDiesAfterTheCopy(t *testing.T) {
	t.Parallel()
	for range 20 {
		p, runner := newPlace(t), startRunner(t)
		f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Lease: newLease(t, runner.Process.Pid)}, p.builds)
		kit.Must(t, err)
		defer f.Close()
		dead := make(chan struct{})
		go func() {
			defer close(dead)
			for errors.Is(lstat(p.issued(7)), fs.ErrNotExist) {
				runtime.Gosched()
			}
			die(runner)
		}()
		err = f.Write(manyFiles())
		<-dead
		if err == nil {
			continue
		}
		wantError(t, "Write", err, "the job gets no credentials: its runner, process ")
		p.noSecret(t)
		p.remove(t, 7)
		p.gone(t, 7)
		return
	}
	t.Error("Write has never noticed that the runner was dead")
}

// lstat returns why nothing can be said of a path.
func lstat(path string) error {
	_, err := os.Lstat(path)
	return err
}

// manyFiles returns credentials that take a while to be written.
func manyFiles() creds.Set {
	set := credentials()
	for i := range 40 {
		set[0].Files = append(set[0].Files, creds.File{
			Name: fmt.Sprintf("f%d", i), Variables: []string{fmt.Sprintf("FILE_%d", i)}, Content: mask.NewSecret(strings.Repeat(token, 500)),
		})
	}
	return set
}
