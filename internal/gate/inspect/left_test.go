package inspect_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/gate"
	"rolecall/internal/gate/inspect"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// leftSecret is what was issued to the job of these tests.
const leftSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

// leftOrder is an order to search dirs for what has changed since then.
func leftOrder(since time.Time, dirs ...string) gate.Order {
	return gate.Order{
		Secrets:  []mask.Named{{Kind: "secret access key", Value: mask.NewSecret(leftSecret)}},
		Leavings: gate.Leavings{Dirs: dirs, Since: since}, MaxDuration: 5 * time.Second,
	}
}

// TestRemoveLeft: of the files that have changed, those that hold the secret are overwritten
// and removed, in whatever form they hold it; all others stay, and no link is followed.
func TestRemoveLeft(t *testing.T) {
	t.Parallel()
	home, tmp, victim := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "victim")
	write := func(path, text string, mode os.FileMode) {
		kit.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		kit.Must(t, os.WriteFile(path, []byte(text), mode))
	}
	write(victim, leftSecret, 0o600)
	write(filepath.Join(home, ".aws/credentials"), "aws_secret_access_key="+leftSecret, 0o600)
	write(filepath.Join(home, ".docker/config.json"), "QVdTOndKYWxyWFV0bkZFTUkvSzdNREVORytiUHhSZmlDWUVYQU1QTEVLRVk=", 0o400)
	write(filepath.Join(home, "harmless"), "text", 0o600)
	write(filepath.Join(tmp, "x"), leftSecret, 0o600)
	kit.Must(t, os.Link(filepath.Join(tmp, "x"), filepath.Join(home, "same")))
	kit.Must(t, os.Symlink(victim, filepath.Join(home, "link")))
	kit.Must(t, os.Symlink(filepath.Dir(victim), filepath.Join(home, "folder")))
	report, err := inspect.RemoveLeft(t.Context(), leftOrder(time.Now().Add(-time.Minute), home, tmp, filepath.Join(home, "none")))
	kit.Must(t, err)
	var found []string
	for _, p := range report.Found {
		found = append(found, p.Name)
		if p.Says != "secret access key" {
			t.Errorf("%+v", p)
		}
	}
	for _, want := range []string{".aws/credentials", ".docker/config.json"} {
		if !slices.Contains(found, filepath.Join(home, want)) {
			t.Errorf("%s is not named: %v", want, report)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(home, "*/c*")); len(left) > 0 || len(report.Refused) > 0 {
		t.Errorf("left are %v, %v", left, report)
	}
	for path, want := range map[string]string{victim: leftSecret, filepath.Join(home, "harmless"): "text"} {
		if content, err := os.ReadFile(path); err != nil || string(content) != want {
			t.Errorf("%s holds %q, %v", path, content, err)
		}
	}
	for _, name := range []string{filepath.Join(tmp, "x"), filepath.Join(home, "same")} {
		if content, _ := os.ReadFile(name); strings.Contains(string(content), leftSecret) {
			t.Errorf("%s still holds the secret", name)
		}
	}
}

// TestRemoveLeftBounds: what is older than the job stays, and what there was no time for is
// said, as is a file whose name cannot be told.
func TestRemoveLeftBounds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kit.Must(t, os.WriteFile(filepath.Join(dir, "old"), []byte(leftSecret), 0o600))
	report, err := inspect.RemoveLeft(t.Context(), leftOrder(time.Now().Add(time.Minute), dir))
	if err != nil || len(report.Found)+len(report.Refused) > 0 {
		t.Errorf("of an older file: %+v, %v", report, err)
	}
	order := leftOrder(time.Time{}, dir)
	order.MaxDuration = 1
	report, err = inspect.RemoveLeft(t.Context(), order)
	if err != nil || len(report.Refused) != 1 || !strings.Contains(report.Refused[0].Says, "not all was searched: the search takes longer than the limit") {
		t.Errorf("without time: %+v, %v", report, err)
	}
	kit.Must(t, os.Rename(filepath.Join(dir, "old"), filepath.Join(dir, "n-"+strings.ReplaceAll(leftSecret, "/", "%2F"))))
	report, err = inspect.RemoveLeft(t.Context(), leftOrder(time.Time{}, dir))
	if err != nil || len(report.Refused) == 0 || !strings.Contains(report.Refused[0].Says, "its name holds a secret; remove it by hand") || strings.Contains(report.Refused[0].Name, "MDENG") {
		t.Errorf("with a name that is one: %+v, %v", report, err)
	}
}

// TestRemoveLeftRefuses: without a secret that it can search for, nothing is searched.
func TestRemoveLeftRefuses(t *testing.T) {
	t.Parallel()
	order := leftOrder(time.Time{}, t.TempDir())
	order.Secrets[0].Value = mask.NewSecret("short")
	if report, err := inspect.RemoveLeft(t.Context(), order); err == nil || !strings.Contains(err.Error(), "secret 1 of 1 has 5 bytes") {
		t.Errorf("%+v, %v", report, err)
	}
}

// TestRemoveLeftInTime: the end of the time ends the walk, also one on which there is nothing
// to search.
func TestRemoveLeftInTime(t *testing.T) {
	t.Parallel()
	order := leftOrder(time.Now().Add(time.Hour), slices.Repeat([]string{"/proc"}, 100)...)
	order.MaxDuration = 100 * time.Millisecond
	begin := time.Now()
	report, err := inspect.RemoveLeft(t.Context(), order)
	last := says(report, "")[max(0, len(report.Refused)-1):] // before it is what cannot be opened in /proc
	if took := time.Since(begin); err != nil || len(last) != 1 || !strings.Contains(last[0], "not all was searched: the search takes longer") || took > 3*time.Second {
		t.Errorf("%+v, %v, after %v", report, err, took)
	}
}
