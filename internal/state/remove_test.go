package state_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestRemoveHardLink: a job may give the file a second name.
func TestRemoveHardLink(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(t, 7)
	keep := filepath.Join(p.dir, "keep")
	kit.Must(t, os.Link(p.env(7), keep))
	p.remove(t, 7)
	p.gone(t, 7)
	content, err := os.ReadFile(keep)
	if err != nil || len(content) == 0 || len(bytes.Trim(content, "\x00")) > 0 {
		t.Errorf("the second name reads %q, %v, want zeros", content, err)
	}
}

// TestRemoveWhatAJobDid: a job does things to its own files, after which Remove
// still leaves nothing.
func TestRemoveWhatAJobDid(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(p place) error{
		"file made longer":    func(p place) error { return os.Truncate(p.env(7), 1<<20) },
		"file made empty":     func(p place) error { return os.Truncate(p.env(7), 0) },
		"file replaced":       func(p place) error { return os.Rename(p.env(7), filepath.Join(p.secret(7), ".aws.b.env")) },
		"file moved aside":    func(p place) error { return os.Rename(p.env(7), filepath.Join(p.secret(7), "x\n\xff")) },
		"a tree more":         func(p place) error { return os.MkdirAll(filepath.Join(p.secret(7), "a/b/c/.aws.x.env"), 0o700) },
		"a folder as a file":  func(p place) error { return os.MkdirAll(filepath.Join(p.secret(7), ".aws.z.env/.aws.y.env"), 0o700) },
		"files beside a link": func(p place) error { return os.WriteFile(filepath.Join(p.linkFolder(7), "mine"), nil, 0o600) },
		"link to a folder":    func(p place) error { return os.Symlink(p.dir, filepath.Join(p.linkFolder(7), "up")) },
		"record removed": func(p place) error {
			return errors.Join(os.Remove(filepath.Join(p.folder(7), "job.json")), os.RemoveAll(p.linkFolder(7)))
		},
		"255 byte name": func(p place) error {
			return os.WriteFile(filepath.Join(p.folder(7), strings.Repeat("n", 255)), nil, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write(t, 7)
			kit.Must(t, do(p))
			p.remove(t, 7)
			p.gone(t, 7)
			if _, err := os.Stat(p.dir); err != nil {
				t.Errorf("too much is gone: %v", err)
			}
		})
	}
}

// TestRemoveDeepTree: a path of a job may be longer than any call takes.
func TestRemoveDeepTree(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(t, 7)
	root, err := os.OpenRoot(p.secret(7))
	kit.Must(t, err)
	const depth = 4000
	for range depth {
		kit.Must(t, root.Mkdir("deeper-and-deeper", 0o700))
		below, err := root.OpenRoot("deeper-and-deeper")
		kit.Must(t, err)
		kit.Must(t, root.Close())
		root = below
	}
	kit.Must(t, root.Close())
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestRemoveConcurrently: the runner may start cleanup while another one runs.
func TestRemoveConcurrently(t *testing.T) {
	t.Parallel()
	for range 200 {
		p := newPlace(t)
		p.root = filepath.Join(shm(t), "root") // no disk slows it down there
		p.write(t, 7)
		p.write(t, 8)
		var group sync.WaitGroup
		problems := make(chan error, 10)
		for range 10 {
			group.Go(func() { problems <- state.Remove(p.root, key(7)) })
		}
		group.Wait()
		close(problems)
		for err := range problems {
			if err != nil {
				t.Errorf("one of ten Removes: %v", err)
			}
		}
		if _, err := os.Stat(p.env(8)); err != nil {
			t.Errorf("another job lost its file: %v", err)
		}
		p.remove(t, 8)
		p.gone(t, 7)
		if t.Failed() {
			return
		}
	}
}

// TestBadRecord: Open refuses a record that this driver did not write. Remove
// then removes the state, and nothing that the record points to.
func TestBadRecord(t *testing.T) {
	t.Parallel()
	const older = "the job was prepared by an older version of rolecall; let the runners finish their jobs before you upgrade (see CHANGELOG)"
	for name, test := range map[string]struct{ content, want string }{
		"empty":           {``, "broken"},
		"half":            {`{"version":3,"tenant":"al`, "broken"},
		"an array":        {`[1]`, "broken"},
		"tenant a number": {`{"version":3,"tenant":3}`, "broken"},
		"version 0":       {`{}`, "has version 0, this driver knows 3"},
		"version 1":       {`{"version":1,"tenant":"alpha","link_dir":"/x"}`, older},
		"version 2":       {`{"version":2,"tenant":"alpha","link_dir":"/x"}`, older},
		"version 4":       {`{"version":4,"tenant":"alpha","link_dir":"/x"}`, "has version 4, this driver knows 3: a later version of rolecall has prepared the job"},
		"huge":            {`{"version":3,"tenant":"alpha","x":"` + strings.Repeat("x", 64<<10) + `"}`, "larger than 65536 bytes"},
	} {
		p := newPlace(t)
		p.write(t, 7)
		kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), []byte(test.content), 0o600))
		_, err := state.Open(p.root, key(7))
		wantError(t, name, err, filepath.Join(p.folder(7), "job.json")+": ")
		wantError(t, name, err, test.want)
		p.remove(t, 7)
		p.noSecret(t)
		if _, err := os.Lstat(p.folder(7)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the state is left (%v)", name, err)
		}
	}
}

// TestTamperedLinkDir: a job that changes its record cannot have cleanup delete
// anything but a folder of its own job's name.
func TestTamperedLinkDir(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []string{
		"victim", "victim/.", "victim/rolecall-8", "victim/rolecall-7/..", "victim/rolecall-7/../file", "victim/rolecall-77", "victim/file",
		"victim/rolecall-8/../../victim", "link", "link/rolecall-8", "file/rolecall-7", "link/rolecall-7",
	} {
		t.Run(strings.ReplaceAll(elsewhere, "/", "!"), func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write(t, 7)
			for _, dir := range []string{"victim/rolecall-7", "victim/rolecall-8", "victim/rolecall-77"} {
				kit.Must(t, os.MkdirAll(filepath.Join(p.dir, dir), 0o755))
				kit.Must(t, os.WriteFile(filepath.Join(p.dir, dir, "file"), []byte(victim), 0o644))
			}
			kit.Must(t, os.WriteFile(filepath.Join(p.dir, "file"), []byte(victim), 0o644))
			kit.Must(t, os.WriteFile(filepath.Join(p.dir, "victim", "file"), []byte(victim), 0o644))
			kit.Must(t, os.Symlink("victim", filepath.Join(p.dir, "link")))
			before := modes(t, filepath.Join(p.dir, "victim"))
			record, err := json.Marshal(state.Record{Version: 3, Tenant: "alpha", LinkDir: p.dir + "/" + elsewhere})
			kit.Must(t, err)
			kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), record, 0o600))
			err = state.Remove(p.root, key(7))
			if isPath := strings.HasPrefix(elsewhere, "file/") || elsewhere == "link/rolecall-7"; isPath {
				wantError(t, elsewhere, err, "not a folder but a link or a file")
			} else if err != nil {
				t.Errorf("Remove: %v", err)
			}
			if diff := cmp.Diff(before, modes(t, filepath.Join(p.dir, "victim"))); diff != "" {
				t.Errorf("something else is deleted:\n%s", diff)
			}
			if _, err := os.Lstat(p.folder(7)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the state is left (%v)", err)
			}
			p.noSecret(t)
		})
	}
}

// TestTamperedTenant: the tenant of a record becomes a part of a path.
func TestTamperedTenant(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"x/../../outside", "x/y", "../x", "", strings.Repeat("a", 300), "a\nb"} {
		p := newPlace(t)
		p.write(t, 7)
		kit.Must(t, os.Mkdir(filepath.Join(p.folder(7), ".aws.x"), 0o700))
		other := credentials()
		other[0].Env[2] = variable("CLOUD_REGION", "us-east-1")
		kit.Must(t, os.WriteFile(filepath.Join(p.root, "outside.env"), other.EnvFile(), 0o600))
		record, err := json.Marshal(state.Record{Version: 3, Tenant: name})
		kit.Must(t, err)
		kit.Must(t, os.WriteFile(filepath.Join(p.folder(7), "job.json"), record, 0o600))
		f, err := state.Open(p.root, key(7))
		if err != nil {
			continue
		}
		if c, err := f.Read(); err == nil && slices.Contains(c.Environ(), "CLOUD_REGION=us-east-1") || filepath.Dir(f.Path()) != p.secret(7) {
			t.Errorf("with tenant %q in its record a job reads credentials outside its folder", name)
		}
		f.Close()
	}
}

// TestRemoveManyPlanted: files of other names that look like env files do not
// keep cleanup for long.
func TestRemoveManyPlanted(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.root = filepath.Join(shm(t), "root")
	p.write(t, 7)
	for i := range 10000 {
		kit.Must(t, os.WriteFile(filepath.Join(p.secret(7), fmt.Sprintf(".aws.%d.env", i)), nil, 0o600))
	}
	begin := time.Now()
	p.remove(t, 7)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Remove took %v", took)
	} else {
		t.Logf("Remove took %v", took)
	}
	p.gone(t, 7)
}
