package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/ledger"
	"rolecall/internal/ledger/seal"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// freshToken begins the tokens of credentials that take the place of others.
const freshToken = "FwoGZXIvYXdzEJr-fresh-"

// fresh returns the n-th credential that takes the place of the one with a file.
func fresh(n int) creds.Credential {
	token := fmt.Sprint(freshToken, n)
	c := withFile()[1]
	c.Env = []creds.Variable{variable("VAULT_TOKEN", token)}
	c.Files[0].Content = mask.NewSecret("{\"token\": \"" + token + "\"}\n")
	c.Secrets = []mask.Named{{Kind: "vault token", Value: mask.NewSecret(token)}}
	return c
}

// replace puts a credential in the place of another one of job 7, and into the ledger.
func replace(f *state.Folder, c creds.Credential) error {
	return f.Replace(c, func(l ledger.Ledger) ledger.Ledger { return seal.Add(l, 7, creds.Set{c}, time.Now()) })
}

// inLedger returns which of the credentials fresh(0) to fresh(2) the ledger has.
func inLedger(t *testing.T, f *state.Folder) (found []int) {
	t.Helper()
	l, err := f.Ledger()
	kit.Must(t, err)
	index := seal.NewIndex(l, nil)
	for n := 0; n < 3 && index != nil; n++ {
		text := []byte(fmt.Sprintf(" %s%d ", freshToken, n))
		index.Search().Find(text, 0, len(text), func(int, string) { found = append(found, n) })
	}
	return found
}

// envOf returns the env file of the job once it has that credential.
func (p place) envOf(c creds.Credential) string {
	text := string(creds.Set{credentials()[0], c}.EnvFile())
	return text + "VAULT_FILE=" + p.file() + "\n"
}

// values returns what secrets reveal.
func values(secrets []mask.Named) []string {
	var all []string
	for _, s := range secrets {
		all = append(all, s.Value.Reveal())
	}
	return all
}

// TestReplace: the job and the next stage see the new credential, and no secret of
// those before is forgotten.
func TestReplace(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.writeFile(t)
	before := modes(t, p.secret(7))
	for n := range 3 {
		kit.Must(t, replace(f, fresh(n)))
	}
	kit.Must(t, replace(f, fresh(2))) // the same again adds nothing
	opened, err := state.Open(p.root, key(7))
	kit.Must(t, err)
	defer opened.Close()
	set, err := opened.Read()
	kit.Must(t, err)
	env, err := os.ReadFile(opened.Path())
	if want := p.envOf(fresh(2)); err != nil || string(env) != want || string(set.EnvFile()) != want {
		t.Errorf("%v: the job reads\n%s\nthe next stage\n%s\nwant\n%s", err, env, set.EnvFile(), want)
	}
	file, err := os.ReadFile(p.file())
	if err != nil || string(file) != fresh(2).Files[0].Content.Reveal() {
		t.Errorf("the file reads %s, %v", file, err)
	}
	secrets, err := opened.Secrets()
	want := []string{keyID, secret, freshToken + "2", token, freshToken + "0", freshToken + "1"}
	if diff := cmp.Diff(want, values(secrets)); err != nil || diff != "" {
		t.Errorf("the secrets differ: %v\n%s", err, diff)
	}
	if got := inLedger(t, opened); len(got) != 3 {
		t.Errorf("the ledger has %v of three", got)
	}
	if diff := cmp.Diff(before, modes(t, p.secret(7))); diff != "" {
		t.Errorf("the job's folder differs:\n%s", diff)
	}
	if _, err := os.Lstat(filepath.Join(p.folder(7), "issued.new")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was replaced is left (%v)", err)
	}
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestReplaceIsShredded: whatever the job still holds of any of the credentials, and
// the driver's copies, read zeros in the end.
func TestReplaceIsShredded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.writeFile(t)
	kit.Must(t, os.Link(p.issued(7), filepath.Join(p.dir, "copy")))
	for n := range 3 {
		kit.Must(t, os.Link(p.env(7), filepath.Join(p.dir, fmt.Sprint("env", n))))
		kit.Must(t, os.Link(p.file(), filepath.Join(p.dir, fmt.Sprint("file", n))))
		kit.Must(t, replace(f, fresh(n)))
	}
	content, err := os.ReadFile(filepath.Join(p.dir, "copy"))
	if err != nil || len(content) == 0 || strings.Trim(string(content), "\x00") != "" {
		t.Errorf("the copy that was replaced reads %q, %v, want zeros", content, err)
	}
	if content, err := os.ReadFile(filepath.Join(p.dir, "env0")); err != nil || !strings.Contains(string(content), secret) {
		t.Errorf("what the job holds open has changed: %q, %v", content, err)
	}
	p.remove(t, 7)
	p.gone(t, 7)
	for _, name := range []string{"env0", "env2", "file0", "file2"} {
		if content, err := os.ReadFile(filepath.Join(p.dir, name)); err != nil || len(content) == 0 {
			t.Errorf("%s reads %q, %v: nothing was tested", name, content, err)
		}
	}
}

// TestReplaceRefuses: where there is nothing to replace, or it cannot be done, all
// stays as it is.
func TestReplaceRefuses(t *testing.T) {
	t.Parallel()
	odd := fresh(1)
	odd.Env[0] = variable("VAULT_TOKEN", freshToken+"\x1b[0m")
	twice := fresh(1)
	twice.Env[0].Name = "CLOUD_ID"
	for want, c := range map[string]creds.Credential{
		"issued.json: no credential vault was issued":      {Provider: "vault"},
		"issued.json: no credential cloud x was issued":    {Provider: "cloud", Name: "x"},
		"the value of VAULT_TOKEN has a control character": odd,
		"variable CLOUD_ID occurs twice":                   twice,
		"vault token is not UTF-8 of 8 to 65536 bytes":     {Provider: "vault", Name: "ci", Secrets: []mask.Named{{Kind: "vault token"}}},
	} {
		p := newPlace(t)
		f := p.writeFile(t)
		before := modes(t, p.dir)
		wantError(t, want, replace(f, c), want)
		if diff := cmp.Diff(before, modes(t, p.dir)); diff != "" {
			t.Errorf("%s: files differ:\n%s", want, diff)
		}
		set, err := f.Read()
		if err != nil || !strings.Contains(string(set.EnvFile()), "VAULT_FILE") {
			t.Errorf("%s: it then reads %v, %v", want, set, err)
		}
	}
}

func TestReplaceInVain(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	if err := replace(f, fresh(1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before Write: %v", err)
	}
	if secrets, err := f.Secrets(); !errors.Is(err, fs.ErrNotExist) || len(secrets) > 0 {
		t.Errorf("before Write: %v, %v", secrets, err)
	}
	kit.Must(t, f.Write(withFile()))
	held, err := os.Open(filepath.Join(p.folder(7), "kept"))
	kit.Must(t, err)
	kit.Must(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	wantError(t, "beside another Replace", replace(f, fresh(1)), "kept: another stage uses or removes this folder")
	kit.Must(t, held.Close())
	kit.Must(t, os.Remove(p.file()))
	kit.Must(t, os.Mkdir(p.file(), 0o700))
	wantError(t, "a folder in the way", replace(f, fresh(1)), ".rolecall.vault.json: ")
	kit.Must(t, os.Remove(p.file()))
	kit.Must(t, replace(f, fresh(2)))
	p.remove(t, 7)
	if err := replace(f, fresh(1)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove: %v", err)
	}
	p.gone(t, 7)
}

// TestReplaceWithoutRunner: a job whose runner has died gets nothing more.
func TestReplaceWithoutRunner(t *testing.T) {
	t.Parallel()
	p, runner := newPlace(t), startRunner(t)
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Lease: newLease(t, runner.Process.Pid)}, p.builds)
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, f.Write(withFile()))
	die(runner)
	wantError(t, "Replace", replace(f, fresh(1)), "the job gets no credentials: its runner, process ")
	if content, err := os.ReadFile(p.issued(7)); err != nil || string(content) != asIssued {
		t.Errorf("the driver's copy has changed: %v", err)
	}
}
