package state_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// The values of the test's credentials.
const (
	keyID  = "ASIAIOSFODNN7EXAMPLE"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	token  = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUC"
)

// variable returns a variable.
func variable(name, value string) creds.Variable {
	return creds.Variable{Name: name, Value: mask.NewSecret(value)}
}

// credentials returns valid credentials, without a file.
func credentials() creds.Set {
	return creds.Set{{
		Provider: "cloud",
		Env:      []creds.Variable{variable("CLOUD_ID", keyID), variable("CLOUD_SECRET", secret), variable("CLOUD_REGION", "eu-central-1")},
		Secrets:  []mask.Named{{Kind: "key id", Value: mask.NewSecret(keyID)}, {Kind: "secret", Value: mask.NewSecret(secret)}},
		Facts:    creds.Facts{{Name: "region", Value: "eu-central-1"}},
		Expires:  time.Date(2031, 2, 3, 4, 5, 6, 0, time.UTC),
		Folders:  []creds.Folder{{Variable: "CLOUD_DIR", Path: ".config/cloud"}},
	}}
}

// withFile returns credentials of two providers, one with a file.
func withFile() creds.Set {
	return append(credentials(), creds.Credential{
		Provider: "vault",
		Name:     "ci",
		Files:    []creds.File{{Name: "vault.json", Variables: []string{"VAULT_FILE"}, Content: mask.NewSecret("{\"token\": \"" + token + "\"}\n")}},
		Secrets:  []mask.Named{{Kind: "vault token", Value: mask.NewSecret(token)}},
	})
}

// place is where one test has its jobs.
type place struct {
	root   string // the folder of all jobs
	builds string // the folder beside the work tree
	dir    string // all of the test's files
}

// newPlace returns a place in which nothing is yet.
func newPlace(t *testing.T) place {
	t.Helper()
	dir := t.TempDir()
	return place{filepath.Join(dir, "root"), filepath.Join(dir, "builds", "project.tmp"), dir}
}

// folder returns the path of a job's folder.
func (p place) folder(id job.ID) string { return filepath.Join(p.root, id.String()) }

// secret returns the path of the folder that has a job's env file.
func (p place) secret(id job.ID) string { return filepath.Join(p.folder(id), "secret") }

// own returns the path of the folder that a job has to itself.
func (p place) own(id job.ID) string { return filepath.Join(p.folder(id), "own") }

// env returns the path of a job's env file.
func (p place) env(id job.ID) string { return filepath.Join(p.secret(id), ".aws.alpha.env") }

// issued returns the path of the driver's own copy.
func (p place) issued(id job.ID) string { return filepath.Join(p.folder(id), "issued.json") }

// linkFolder returns the path of a job's folder in the build directory.
func (p place) linkFolder(id job.ID) string { return filepath.Join(p.builds, "rolecall-"+id.String()) }

// write makes a job's folder with its env file.
func (p place) write(t *testing.T, id job.ID) *state.Folder {
	t.Helper()
	f := create(t, p, id)
	kit.Must(t, f.Write(credentials()))
	return f
}

// create makes the folder of a job of tenant alpha.
func create(t *testing.T, p place, id job.ID) *state.Folder {
	t.Helper()
	f, err := state.Create(p.root, key(id), state.Record{Tenant: "alpha"}, p.builds)
	kit.Must(t, err)
	t.Cleanup(f.Close)
	return f
}

// remove removes a job and expects no error.
func (p place) remove(t *testing.T, id job.ID) {
	t.Helper()
	if err := state.Remove(p.root, key(id)); err != nil {
		t.Errorf("Remove: %v", err)
	}
}

// gone reports what is left of a job.
func (p place) gone(t *testing.T, id job.ID) {
	t.Helper()
	for _, path := range []string{p.folder(id), p.linkFolder(id)} {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s is left (%v)", path, err)
		}
	}
	p.noSecret(t)
}

// noSecret looks for the secrets in every file of the place.
func (p place) noSecret(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(p.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if bytes.Contains(content, []byte(secret)) || bytes.Contains(content, []byte(token)) || bytes.Contains(content, []byte(keyID)) ||
			bytes.Contains(content, []byte(freshToken)) {
			t.Errorf("%s holds a secret", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// wantError checks that err says want.
func wantError(t *testing.T, what string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%s: error %v, want one with %q", what, err, want)
	}
	if err != nil && (strings.Contains(err.Error(), secret[:12]) || strings.Contains(err.Error(), token[:12])) {
		t.Errorf("%s: the error holds a secret: %v", what, err)
	}
}

// key is the key of a job whose response has no token.
func key(id job.ID) job.Key { return job.Key{ID: id} }
