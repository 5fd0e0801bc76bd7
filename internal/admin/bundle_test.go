package admin_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/audit"
	"rolecall/test/kit"
)

// planted are secrets in all places of a host.
func planted(t *testing.T) (w *world, flags []string) {
	t.Helper()
	w = newWorld(t)
	path := logOf(t, "", line(t, "80", 0, audit.Issued, issuedAs("ASIA80", "x"))+
		line(t, "81", 0, audit.Decision, func(e *audit.Event) {
			refusedBy("alpha", "refs", "RC103")(e)
			e.Reason = `helper says STATIC-&SECRET"1 and https://eve:URL-SECRET-2@x.example/y`
		}))
	api := w.write(t, "api-key", []byte("FILE-SECRET-3"))
	w.policy += `# COMMENT-SECRET-4
[[tenant.source]]
name = "config"
provider = "static"
env = { APP = 'STATIC-&SECRET"1' }
secret_files = { API_KEY = "` + api + `" }
[[tenant.source]]
name = "db"
provider = "exec"
command = ["/usr/bin/true", "ARGUMENT-SECRET-5"]
sets = ["PGPASSWORD"]
`
	flags = w.asked(t, path)
	w.write(t, "config.toml", []byte("[[runners]]\nname = \"deploy\"\nurl = \"https://u:URL-SECRET-6@gitlab.example.com\"\ntoken = \"glrt-TOKEN-SECRET-7\"\nexecutor = \"custom\"\nenvironment = [\"A=ENV-SECRET-8\"]\n"))
	w.folder(t, 80, "alpha", os.Getpid(), line(t, "80", 0, "", nil))
	kit.Must(t, os.WriteFile(w.dir+"/state/80/issued.json", []byte(`{"credentials":["eyJ.ID-TOKEN-SECRET-9"]}`), 0o600))
	kit.Must(t, os.WriteFile(w.dir+"/state/ledger", []byte("LEDGER-SECRET-10\n"), 0o600))
	return w, append(flags, "--runner-config", w.dir+"/config.toml")
}

// unpack returns the files of an archive.
func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := os.Open(path)
	kit.Must(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	kit.Must(t, err)
	all := map[string]string{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		kit.Must(t, err)
		content, err := io.ReadAll(r)
		kit.Must(t, err)
		if h.Mode != 0o600 || h.Typeflag != tar.TypeReg {
			t.Errorf("%s: mode %o, type %c", h.Name, h.Mode, h.Typeflag)
		}
		all[strings.TrimPrefix(h.Name, "rolecall/")] = string(content)
	}
}

// TestBundle: the archive has what the list says, and none of the secrets of the host.
func TestBundle(t *testing.T) {
	t.Parallel()
	w, flags := planted(t)
	path := filepath.Join(w.dir, "b.tar.gz")
	got := run("", append([]string{"bundle", "--output", path}, flags...)...)
	info, err := os.Stat(path)
	kit.Must(t, err)
	if got.code != 0 || info.Mode() != 0o600 {
		t.Errorf("%v: %+v", info.Mode(), got)
	}
	checkText(t, strings.ReplaceAll(got.out, path, "b"))
	files := unpack(t, path)
	for name, want := range map[string]string{
		"policy.toml": "APP = '[REDACTED]'", "config.toml": "url = 'https://gitlab.example.com'", "findings.json": `"area": `, "audit.jsonl": `"access_key_id":"ASIA80"`,
		"host.txt": "\nkernel: Linux ", "units.txt": "",
	} {
		if text, ok := files[name]; !ok || !strings.Contains(text, want) || !strings.Contains(got.out, name) {
			t.Errorf("%s has no %q:\n%s", name, want, text)
		}
	}
	for name, text := range files {
		if strings.Contains(text, "SECRET") || strings.ContainsAny(text, "\x1b\x07\u009b\u202e") {
			t.Errorf("a secret or a control byte is in %s:\n%s", name, text)
		}
	}
	if lines := strings.Split(files["audit.jsonl"], "\n"); len(lines) != 3 || !strings.Contains(lines[0], `"job_id":"81"`) || !strings.Contains(lines[0], "helper says [REDACTED] and https://x.example/y") || !strings.Contains(lines[1], `"user_login":"jane"`) {
		t.Errorf("%q", lines)
	}
	if got := run("", append([]string{"bundle", "--output", path}, flags...)...); got.code != 1 || !strings.Contains(got.errors, "exists, and is left unchanged") {
		t.Errorf("%+v", got)
	}
	if got := run("", append([]string{"bundle", "--lines", "-1"}, flags...)...); got.code != 2 {
		t.Errorf("%+v", got)
	}
}

// TestBundleAnonymous: names of people, projects and refs are hashes, the same in each line.
func TestBundleAnonymous(t *testing.T) {
	t.Parallel()
	w, flags := planted(t)
	path := filepath.Join(w.dir, "b.tar.gz")
	got := run("", append([]string{"bundle", "--anonymise", "--json", "--output", path}, flags...)...)
	var list struct{ Members []struct{ Name string } }
	if err := json.Unmarshal([]byte(got.out), &list); err != nil || got.code != 0 || len(list.Members) != 6 {
		t.Errorf("%v: %+v", err, got)
	}
	text := unpack(t, path)["audit.jsonl"]
	users := map[string]int{}
	for line := range strings.Lines(text) {
		var e audit.Event
		kit.Must(t, json.Unmarshal([]byte(line), &e))
		users[e.UserLogin]++
	}
	if strings.Contains(text, "jane") || strings.Contains(text, "acme") || strings.Contains(text, "main") || len(users) != 1 || !strings.Contains(text, `"access_key_id":"ASIA80"`) {
		t.Errorf("%v in\n%s", users, text)
	}
}

// TestBundleBroken: what cannot be read is named in the archive, and quotes nothing.
func TestBundleBroken(t *testing.T) {
	t.Parallel()
	w, flags := planted(t)
	w.write(t, "config.toml", []byte("a = 1\ntoken = glrt-TOKEN-SECRET-7\n"))
	w.write(t, "rolecall.toml", []byte("audit_log = SECRET\n"))
	path := filepath.Join(w.dir, "b.tar.gz")
	if got := run("", append([]string{"bundle", "--output", path}, flags...)...); got.code != 0 {
		t.Errorf("%+v", got)
	}
	files := unpack(t, path)
	for name, text := range files {
		if strings.Contains(text, "SECRET") {
			t.Errorf("a secret is in %s:\n%s", name, text)
		}
	}
	if !strings.Contains(files["config.toml"], "# line 2 is no TOML, so nothing of the file is here") || !strings.Contains(files["audit.jsonl"], `{"rolecall_error":"`) {
		t.Errorf("%q", files)
	}
}
