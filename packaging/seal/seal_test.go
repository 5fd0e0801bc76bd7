package seal_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/packaging/seal"
)

// when is the time of the sources in these tests.
var when = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func testKey(t *testing.T) seal.Key {
	t.Helper()
	key, err := seal.Read("../testdata/test-key.asc")
	must(t, err)
	return key
}

// release returns a folder with two files that the key has signed.
func release(t *testing.T, key seal.Key) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a_1.0~2+3.deb"), []byte("a"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "b.rpm"), []byte("b"), 0o644))
	must(t, key.Write(dir, when))
	return dir
}

// TestCheck changes a release in all the ways that a check must find.
func TestCheck(t *testing.T) {
	t.Parallel()
	other, err := seal.Make("somebody else", when)
	must(t, err)
	for name, test := range map[string]struct {
		change func(dir string) error
		want   string // of the error; empty: there is none
	}{
		"nothing":      {func(string) error { return nil }, ""},
		"a file":       {func(dir string) error { return os.WriteFile(filepath.Join(dir, "b.rpm"), []byte("c"), 0o644) }, "b.rpm is not the file that was signed"},
		"a file less":  {func(dir string) error { return os.Remove(filepath.Join(dir, "b.rpm")) }, "no such file"},
		"a file more":  {func(dir string) error { return os.WriteFile(filepath.Join(dir, "c.rpm"), nil, 0o644) }, "c.rpm is not signed"},
		"the sums":     {func(dir string) error { return os.WriteFile(filepath.Join(dir, seal.Sums), nil, 0o644) }, "is not the signature of SHA256SUMS"},
		"no signature": {func(dir string) error { return os.Remove(filepath.Join(dir, seal.Signature)) }, "no such file"},
		"another key":  {func(dir string) error { return other.Write(dir, when) }, "is not the signature of SHA256SUMS by the key E752"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			key := testKey(t)
			dir := release(t, key)
			must(t, test.change(dir))
			n, err := key.Check(dir)
			if test.want == "" && (err != nil || n != 2) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("%d, %v, want %q", n, err, test.want)
			}
		})
	}
}

// TestPlaces signs sums that name a file elsewhere: nobody reads that.
func TestPlaces(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "-rf a"), nil, 0o644))
	key := testKey(t)
	must(t, key.Write(dir, when))
	if _, err := key.Check(dir); err == nil || !strings.Contains(err.Error(), "a line that is no sum") {
		t.Error(err)
	}
}

// TestSameBytes: the same key, files and time give the same signature. A key that is younger
// than the sources signs with its own time, since nobody accepts a signature before its key.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	young, err := seal.Make("young", time.Now())
	must(t, err)
	for _, key := range []seal.Key{testKey(t), young} {
		var signatures [2]string
		for i := range signatures {
			dir := release(t, key)
			content, err := os.ReadFile(filepath.Join(dir, seal.Signature))
			must(t, err)
			signatures[i] = string(content)
			if _, err := key.Check(dir); err != nil {
				t.Error(err)
			}
		}
		if signatures[0] != signatures[1] || signatures[0] == "" {
			t.Errorf("two signatures:\n%s\n%s", signatures[0], signatures[1])
		}
	}
}

// TestKeep: the secret half goes to a new file of mode 0600, and never among the sources, also
// not by a link. Read then reads it.
func TestKeep(t *testing.T) {
	t.Parallel()
	key, err := seal.Make("a key", when)
	must(t, err)
	project, outside := t.TempDir(), t.TempDir()
	must(t, os.Symlink(project, filepath.Join(outside, "link")))
	for _, path := range []string{filepath.Join(project, "k"), filepath.Join(outside, "link/k")} {
		if err := key.Keep(path, project); err == nil || !strings.Contains(err.Error(), "does not belong among the sources") {
			t.Errorf("%s: %v", path, err)
		}
	}
	path := filepath.Join(outside, "k")
	must(t, key.Keep(path, project))
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the secret key has mode %04o", info.Mode().Perm())
	}
	if err := key.Keep(path, project); err == nil {
		t.Error("a key was replaced")
	}
	again, err := seal.Read(path)
	must(t, err)
	if again.Fingerprint() != key.Fingerprint() {
		t.Errorf("%s, want %s", again.Fingerprint(), key.Fingerprint())
	}
	public, err := key.Public()
	must(t, err)
	must(t, os.WriteFile(path, public, 0o600))
	if again, err = seal.Read(path); err != nil || again.Write(t.TempDir(), when) == nil {
		t.Errorf("a public key has signed; %v", err)
	}
}

// TestGnuPG: gpg accepts the signature, as SECURITY.md says.
func TestGnuPG(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Skipf("NOT TESTED, install gpg: %v", err)
	}
	key := testKey(t)
	dir, home := release(t, key), t.TempDir()
	must(t, os.Chmod(home, 0o700))
	public, err := key.Public()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(home, "release.asc"), public, 0o600))
	for _, args := range [][]string{{"--import", filepath.Join(home, "release.asc")}, {"--verify", seal.Signature, seal.Sums}} {
		command := exec.Command("gpg", append([]string{"--batch", "--homedir", home}, args...)...)
		command.Dir = dir
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("gpg %v: %v\n%s", args, err, out)
		}
	}
	check := exec.Command("sha256sum", "--check", "--strict", seal.Sums)
	check.Dir = dir
	if out, err := check.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
