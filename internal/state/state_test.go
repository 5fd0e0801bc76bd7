package state_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// modes returns the mode of every file and folder below dir, by its path in dir.
func modes(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if relative, _ := filepath.Rel(dir, path); relative != "." {
			got[relative] = info.Mode().String()
		}
		return err
	})
	kit.Must(t, err)
	return got
}

// asMade is what a job with an env file has, with its modes.
var asMade = map[string]string{
	"root":                          "drwx------",
	"root/7":                        "drwx------",
	"root/7/job.json":               "-rw-------",
	"root/7/issued.json":            "-rw-------",
	"root/7/kept":                   "drwx------",
	"root/7/kept/.aws.alpha.env":    "-rw-------",
	"root/7/secret":                 "drwx------",
	"root/7/secret/.aws.alpha.env":  "-rw-------",
	"builds":                        "drwxr-xr-x",
	"builds/project.tmp":            "drwxr-xr-x",
	"builds/project.tmp/rolecall-7": "drwx------",
	"builds/project.tmp/rolecall-7/.aws.alpha.env": "Lrwxrwxrwx",
}

func TestCreateWriteReadRemove(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.write(t, 7)
	if diff := cmp.Diff(asMade, modes(t, p.dir)); diff != "" {
		t.Errorf("files differ:\n%s", diff)
	}
	if want := p.linkFolder(7) + "/.aws.alpha.env"; f.Path() != want || f.Tenant() != "alpha" {
		t.Errorf("path %s of tenant %q, want %s", f.Path(), f.Tenant(), want)
	}
	through, err := os.ReadFile(f.Path())
	if err != nil || string(through) != string(credentials().EnvFile()) {
		t.Errorf("the job reads %v:\n%s", err, through)
	}
	opened, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	defer opened.Close()
	c, err := opened.Read()
	if err != nil || string(c.EnvFile()) != string(through) || opened.Path() != f.Path() || opened.Tenant() != "alpha" {
		t.Errorf("a later stage reads error %v, path %s, tenant %q", err, opened.Path(), opened.Tenant())
	}
	p.remove(t, 7)
	p.gone(t, 7)
	p.remove(t, 7)
}

// TestWithoutTenant: a job without credentials has a record and nothing that its
// script could see.
// TestNotes: a record keeps the first notes, each up to a bound, so that it can always be
// read.
func TestNotes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	long := state.Note{Text: strings.Repeat("x", 999) + "ÄÄ", Warn: true}
	f, err := state.Create(p.root, job.Key{ID: 7}, state.Record{Notes: slices.Repeat([]state.Note{{Text: "short"}, long}, 20)}, "")
	kit.Must(t, err)
	f.Close()
	f, err = state.Find(p.root, job.Key{ID: 7})
	kit.Must(t, err)
	defer f.Close()
	notes := f.Record().Notes
	if len(notes) != 10 || notes[0] != (state.Note{Text: "short"}) || notes[9] != (state.Note{Text: strings.Repeat("x", 999) + "…", Warn: true}) {
		t.Errorf("the notes are %+v", notes)
	}
}

func TestWithoutTenant(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{}, p.builds)
	kit.Must(t, err)
	f.Close()
	want := map[string]string{"root": "drwx------", "root/7": "drwx------", "root/7/job.json": "-rw-------"}
	if diff := cmp.Diff(want, modes(t, p.dir)); diff != "" {
		t.Errorf("files differ:\n%s", diff)
	}
	opened, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	defer opened.Close()
	if opened.Tenant() != "" {
		t.Errorf("tenant %q, want none", opened.Tenant())
	}
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestWithoutBuildDirectory: the job then gets the path of the file itself.
func TestWithoutBuildDirectory(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, "")
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, f.Write(credentials()))
	if f.Path() != p.env(7) {
		t.Errorf("path %s, want %s", f.Path(), p.env(7))
	}
	p.remove(t, 7)
	p.gone(t, 7)
}

func TestCreateRefusesBuildDirectory(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, "builds/project.tmp")
	wantError(t, "a relative build directory", err, "is not absolute; set builds_dir")
	p.gone(t, 7)
	kit.Must(t, os.WriteFile(filepath.Join(p.dir, "builds"), nil, 0o600))
	_, err = state.Create(p.root, key(7), state.Record{Tenant: "alpha"}, p.builds)
	wantError(t, "a file in place of the builds directory", err, "build directory: ")
	p.gone(t, 7)
}

// TestCreateAgain: a second attempt at the same job starts from nothing.
func TestCreateAgain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	first := p.write(t, 7)
	wantError(t, "a second Write", first.Write(credentials()), "already exists, and is left unchanged")
	first.Close()
	second := p.write(t, 7)
	if c, err := second.Read(); err != nil || c[0].Facts.Get("region") != "eu-central-1" {
		t.Errorf("Read after the second attempt: %v", err)
	}
	if diff := cmp.Diff(asMade, modes(t, p.dir)); diff != "" {
		t.Errorf("files differ:\n%s", diff)
	}
}

// TestJobsAreApart: what happens to one job does not reach another one, nor one
// whose id begins with the same digits.
func TestJobsAreApart(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	for _, id := range []job.ID{7, 77, 770} {
		p.write(t, id)
	}
	p.remove(t, 77)
	for _, id := range []job.ID{7, 770} {
		f, err := state.Open(p.root, key(id))
		kit.Must(t, err)
		if _, err := f.Read(); err != nil {
			t.Errorf("job %s: %v", id, err)
		}
		if _, err := os.Stat(f.Path()); err != nil {
			t.Errorf("the link of job %s: %v", id, err)
		}
		f.Close()
	}
	if _, err := state.Open(p.root, key(77)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a removed job: %v, want that it does not exist", err)
	}
}

// TestOpenMakesNothing: who looks for a job leaves no folder behind.
func TestOpenMakesNothing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	_, err := state.Open(p.root, key(7))
	_, keysErr := state.KeysDir(p.root)
	for what, err := range map[string]error{"Open": err, "KeysDir": keysErr} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without a root: %v, want that it does not exist", what, err)
		}
	}
	if left, err := os.ReadDir(p.dir); err != nil || len(left) > 0 {
		t.Errorf("made %v, %v", left, err)
	}
	p.write(t, 8)
	if _, err = state.Open(p.root, key(7)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open without the job: %v, want that it does not exist", err)
	}
}

// TestAnotherServer: a job of the same id on another GitLab server neither gets
// the credentials of this one nor takes them away.
func TestAnotherServer(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	ours, theirs := job.Key{ID: 7, Proof: "a"}, job.Key{ID: 7, Proof: "b"}
	f, err := state.Create(p.root, ours, state.Record{Tenant: "alpha"}, p.builds)
	kit.Must(t, err)
	kit.Must(t, f.Write(credentials()))
	f.Close()
	before := modes(t, p.dir)
	_, created := state.Create(p.root, theirs, state.Record{Tenant: "beta"}, p.builds)
	_, opened := state.Open(p.root, theirs)
	for what, err := range map[string]error{"Create": created, "Open": opened, "Remove": state.Remove(p.root, theirs)} {
		if err == nil || !strings.Contains(err.Error(), "belongs to a job of another GitLab server, and is left unchanged") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if diff := cmp.Diff(before, modes(t, p.dir)); diff != "" {
		t.Errorf("files differ:\n%s", diff)
	}
	f, err = state.Open(p.root, ours)
	kit.Must(t, err)
	_, err = f.Read()
	kit.Must(t, err)
	f.Close()
	kit.Must(t, state.Remove(p.root, ours))
	p.gone(t, 7)
}
