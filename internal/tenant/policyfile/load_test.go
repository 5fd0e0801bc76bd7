package policyfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/tenant/policyfile"
)

// writeFile writes a file with a mode and returns its path.
func writeFile(t *testing.T, content string, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rolecall.toml")
	if err := errors.Join(os.WriteFile(path, []byte(content), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
	return path
}

// sized returns the path of a file of so many bytes, all of them NUL.
func sized(t *testing.T, bytes int64) string {
	t.Helper()
	path := writeFile(t, "", 0o600)
	if err := os.Truncate(path, bytes); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	t.Parallel()
	policy, err := policyfile.Load(writeFile(t, minimal, 0o644), grant.AWS{})
	if err != nil || len(policy.Tenants()) != 1 || policy.Hash() != compile(t, minimal).Hash() {
		t.Errorf("%+v, %v, want the policy that the file compiles to", policy, err)
	}
	const advice = "; correct it; rolecall check on the runner's host names all mistakes"
	for name, test := range map[string]struct {
		path, want string
		missing    bool
	}{
		"missing":            {filepath.Join(t.TempDir(), "none"), "policy file: PATH: no such file or directory", true},
		"a relative path":    {"rolecall.toml", "policy file: ", false},
		"a folder":           {t.TempDir(), "policy file: PATH", false},
		"writable by others": {writeFile(t, minimal, 0o662), "policy file: PATH has mode 0662", false},
		"by its group":       {writeFile(t, minimal, 0o620), "policy file: PATH has mode 0620", false},
		"too large":          {sized(t, 8<<20+1), "policy file: PATH is larger than 8388608 bytes", false},
		"the largest":        {sized(t, 8<<20), "policy file: PATH:1: a NUL byte", false},
		"broken":             {writeFile(t, minimal+"\nx = 1\ny = 2\n", 0o600), "policy file: PATH:9: unknown key \"x\" in [tenant]\nPATH:10: unknown key \"y\" in [tenant]" + advice, false},
	} {
		policy, err := policyfile.Load(test.path, grant.AWS{})
		if policy != nil || err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), strings.ReplaceAll(test.want, "PATH", test.path)) {
			t.Errorf("%s: %v, %v: %v, want %q of the admin's", name, policy, fault.SideOf(err), err, test.want)
		}
		if errors.Is(err, fs.ErrNotExist) != test.missing {
			t.Errorf("%s: %v is fs.ErrNotExist: %v, want %v", name, err, !test.missing, test.missing)
		}
	}
}

func TestReadNamed(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"": "", "a file": writeFile(t, "text", 0o640), "an empty one": writeFile(t, "", 0o600), "the largest": sized(t, 1<<20)} {
		got, err := policyfile.ReadNamed("key", path)
		if (path == "") != (got == nil) || err != nil {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		if want := map[string]int{"a file": 4, "the largest": 1 << 20}[name]; len(got) != want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), want)
		}
	}
	for name, test := range map[string]struct {
		path, want string
		missing    bool
	}{
		"missing":            {filepath.Join(t.TempDir(), "none"), "sts.ca_bundle: PATH: no such file or directory", true},
		"too large":          {sized(t, 1<<20+1), "sts.ca_bundle: PATH is larger than 1048576 bytes", false},
		"writable by others": {writeFile(t, "x", 0o602), "sts.ca_bundle: PATH has mode 0602", false},
	} {
		got, err := policyfile.ReadNamed("sts.ca_bundle", test.path)
		if got != nil || err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), strings.ReplaceAll(test.want, "PATH", test.path)) {
			t.Errorf("%s: %d bytes, %v, want %q of the admin's", name, len(got), err, test.want)
		}
		if errors.Is(err, fs.ErrNotExist) != test.missing {
			t.Errorf("%s: %v", name, err)
		}
	}
}
