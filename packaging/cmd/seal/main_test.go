package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/packaging/seal"
)

// TestReleaseKey makes the key of a project, which has none before: nothing is a release until
// then. Then a release that it signs is one, and no second key can be made.
func TestReleaseKey(t *testing.T) {
	t.Parallel()
	root, dist, secret := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "secret.asc")
	security, err := os.ReadFile("../../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(root, "SECURITY.md"), string(security))
	write(filepath.Join(root, "packaging/testdata/test-key.asc"), "")
	write(filepath.Join(dist, "a.deb"), "a")
	verify := []string{"verify", "--root", root, "--dir", dist}
	if err := serve(verify); err == nil || !strings.Contains(err.Error(), "no key of releases yet") {
		t.Error(err)
	}
	if err := serve([]string{"key", "--root", root, "--secret", secret}); err != nil {
		t.Fatal(err)
	}
	key, err := seal.Read(secret)
	if err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(filepath.Join(root, "SECURITY.md"))
	if err != nil || !strings.Contains(string(told), "\n```\n"+key.Fingerprint()+"\n```\n") || strings.Contains(string(told), "no key of releases yet") {
		t.Errorf("%v\n%s", err, told)
	}
	if err := key.Write(dist, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := serve(verify); err != nil {
		t.Error(err)
	}
	if err := serve([]string{"key", "--root", root, "--secret", secret + "2"}); err == nil || !strings.Contains(err.Error(), "release.asc exists") {
		t.Error(err)
	}
}
