package state_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// asIssued is the driver's own copy of withFile.
const asIssued = `{"credentials":[` +
	`{"provider":"cloud","env":[{"name":"CLOUD_ID","value":"` + keyID + `"},{"name":"CLOUD_SECRET","value":"` + secret + `"},{"name":"CLOUD_REGION","value":"eu-central-1"}],` +
	`"folders":[{"variable":"CLOUD_DIR","path":".config/cloud"}],"secrets":[{"kind":"key id","value":"` + keyID + `"},{"kind":"secret","value":"` + secret + `"}],` +
	`"facts":[{"name":"region","value":"eu-central-1"}],"expires":"2031-02-03T04:05:06Z"},` +
	`{"provider":"vault","name":"ci","files":[{"name":"vault.json","variables":["VAULT_FILE"],"content":"{\"token\": \"` + token + `\"}\n"}],` +
	`"secrets":[{"kind":"vault token","value":"` + token + `"}]}]}` + "\n"

// writeFile makes the folder of job 7 with credentials that have a file.
func (p place) writeFile(t *testing.T) *state.Folder {
	t.Helper()
	f := create(t, p, 7)
	kit.Must(t, f.Write(withFile()))
	return f
}

// file returns the path of the file of a job's credential.
func (p place) file() string { return filepath.Join(p.secret(7), ".rolecall.vault.json") }

// TestIssued: all that was issued reads back, and the job has the file where its
// variable says.
func TestIssued(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.writeFile(t)
	content, err := os.ReadFile(p.issued(7))
	if diff := cmp.Diff(asIssued, string(content)); err != nil || diff != "" {
		t.Errorf("the driver's copy: %v\n%s", err, diff)
	}
	set, err := f.Read()
	kit.Must(t, err)
	want := append(credentials().Environ(), "VAULT_FILE="+p.file())
	if diff := cmp.Diff(want, set.Environ()); diff != "" {
		t.Errorf("the environment differs:\n%s", diff)
	}
	env, err := os.ReadFile(f.Path())
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", string(env)); err != nil || diff != "" {
		t.Errorf("the env file: %v\n%s", err, diff)
	}
	file, err := os.ReadFile(p.file())
	if err != nil || string(file) != withFile()[1].Files[0].Content.Reveal() || set[1].Files[0].Content.Reveal() != string(file) {
		t.Errorf("the job reads %v: %s", err, file)
	}
	if !set.Expires().Equal(credentials().Expires()) || set[0].Folders[0] != credentials()[0].Folders[0] || len(set.Secrets()) != 3 {
		t.Errorf("it reads back as %v, expires %v, folders %v", set.Secrets(), set.Expires(), set[0].Folders)
	}
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestFileModes: a file of a credential has the mode of the env file.
func TestFileModes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.writeFile(t)
	got := modes(t, p.root)
	for _, name := range []string{"7/secret/.rolecall.vault.json", "7/kept/.rolecall.vault.json", "7/secret/.aws.alpha.env", "7/issued.json"} {
		if got[name] != "-rw-------" {
			t.Errorf("%s has mode %s", name, got[name])
		}
	}
}

// TestWriteRefuses: what cannot be written safely is not written at all.
func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	huge := make([]mask.Named, 70)
	for i := range huge {
		huge[i] = mask.Named{Kind: "long", Value: mask.NewSecret(strings.Repeat("x", 64<<10))}
	}
	for want, change := range map[string]func(c *creds.Credential){
		"the value of CLOUD_ID has a control character": func(c *creds.Credential) { c.Env[0] = variable("CLOUD_ID", secret+"\x1b[0m") },
		"variable CLOUD_ID occurs twice":                func(c *creds.Credential) { c.Files[0].Variables = []string{"CLOUD_ID"} },
		"the name of the file for VAULT_FILE":           func(c *creds.Credential) { c.Files[0].Name = "../x" },
		"the credentials cannot be written":             func(c *creds.Credential) { c.Expires = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC) },
		"the credentials take more than":                func(c *creds.Credential) { c.Secrets = huge },
	} {
		p := newPlace(t)
		f := create(t, p, 7)
		set := withFile()
		set[0].Files, set[1].Files = set[1].Files, nil
		change(&set[0])
		wantError(t, want, f.Write(set), want)
		p.noSecret(t)
		p.remove(t, 7)
	}
}

// TestPlantedFile: what stands where a file of a credential goes is left alone, and
// nothing of the credentials is written.
func TestPlantedFile(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"secret", "kept"} {
		p := newPlace(t)
		f := create(t, p, 7)
		planted := filepath.Join(p.folder(7), where, ".rolecall.vault.json")
		kit.Must(t, os.WriteFile(planted, []byte(victim), 0o600))
		wantError(t, where, f.Write(withFile()), "already exists, and is left unchanged")
		if content, err := os.ReadFile(planted); err != nil || string(content) != victim {
			t.Errorf("%s: what was planted reads %q, %v", where, content, err)
		}
		p.noSecret(t)
		if _, err := os.Lstat(p.env(7)); !os.IsNotExist(err) {
			t.Errorf("%s: the env file is left (%v)", where, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	const notOurs = "the content has changed since the driver wrote it"
	replace := func(from, to string) string { return strings.Replace(asIssued, from, to, 1) }
	for name, test := range map[string]struct{ content, want string }{
		"empty":            {"", notOurs},
		"zeros":            {strings.Repeat("\x00", len(asIssued)), notOurs},
		"half":             {asIssued[:len(asIssued)/2], notOurs},
		"null":             {"null\n", notOurs},
		"another form":     {`{"credentials":{"` + secret + `":1}}`, notOurs},
		"no last newline":  {strings.TrimSuffix(asIssued, "\n"), notOurs},
		"more":             {asIssued + asIssued, notOurs},
		"blanks":           {replace(`,"env"`, `, "env"`), notOurs},
		"unknown key":      {replace(`,"env"`, `,"`+secret+`":1,"env"`), notOurs},
		"key twice":        {replace(`"provider":"cloud"`, `"provider":"x","provider":"cloud"`), notOurs},
		"key in capitals":  {replace(`"provider"`, `"Provider"`), notOurs},
		"another order":    {replace(`"provider":"vault","name":"ci"`, `"name":"ci","provider":"vault"`), notOurs},
		"escaped":          {replace("eu-central", `\u0065u-central`), notOurs},
		"shell in a value": {replace(`"value":"`+secret, `"value":"`+secret+"\x1b[0m"), notOurs},
		"variable twice":   {replace("CLOUD_SECRET", "CLOUD_ID"), notOurs},
		"loader":           {replace("CLOUD_SECRET", "LD_PRELOAD"), notOurs},
		"path as a name":   {replace("vault.json", "../vault.json"), notOurs},
		"expiry of a zone": {replace("06Z", "06+00:00"), notOurs},
		"expiry a date":    {replace("T04:05:06Z", ""), notOurs},
		"huge":             {asIssued + strings.Repeat(" ", 4<<20), "larger than 4194304 bytes"},
	} {
		p := newPlace(t)
		f := p.writeFile(t)
		kit.Must(t, os.WriteFile(p.issued(7), []byte(test.content), 0o600))
		set, err := f.Read()
		wantError(t, name, err, test.want)
		wantError(t, name, err, p.issued(7))
		if len(set) > 0 {
			t.Errorf("%s: credentials beside the error", name)
		}
		p.remove(t, 7)
		p.gone(t, 7)
	}
}

// FuzzIssued holds that nothing but what the driver writes is read, byte for byte.
func FuzzIssued(f *testing.F) {
	f.Add([]byte(asIssued))
	for _, text := range []string{"", "{", "}", "\n", `"`, "\x00", "\xff", `\u0000`, "null", "[]", `,"a":1`, "É"} {
		f.Add([]byte(asIssued + text))
		f.Add([]byte(strings.Replace(asIssued, secret, secret+text, 1)))
		f.Add([]byte(strings.Replace(asIssued, `"name":"ci"`, `"name":"ci`+text+`"`, 1)))
		f.Add([]byte(strings.Replace(asIssued, `{"lease"`, text+`{"lease"`, 1)))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		again, set, err := state.Reencode(content)
		if err != nil {
			if len(set) > 0 {
				t.Fatalf("credentials beside the error %v", err)
			}
			return
		}
		if err := set.Check(); err != nil || !bytes.Equal(again, content) {
			t.Fatalf("accepted, %v:\n%s\nwhich is written as\n%s", err, content, again)
		}
	})
}
