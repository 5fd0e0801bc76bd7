package metrics_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/metrics"
	"rolecall/test/kit"
)

// TestFolder: a folder that everybody can write to, that is not there, or that a link leads to gets
// no file. One that belongs to another user and can be written to by its group does.
func TestFolder(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		do   func(t *testing.T, dir string)
		want string // empty: the file is written
	}{
		"fine":  {func(*testing.T, string) {}, ""},
		"group": {func(t *testing.T, dir string) { t.Helper(); kit.Must(t, os.Chmod(dir, 0o775)) }, ""},
		"open":  {func(t *testing.T, dir string) { t.Helper(); kit.Must(t, os.Chmod(dir, 0o777|os.ModeSticky)) }, "everybody can write to it"},
		"gone":  {func(t *testing.T, dir string) { t.Helper(); kit.Must(t, os.Remove(dir)) }, "install node_exporter, or make the folder"},
		"link": {func(t *testing.T, dir string) {
			t.Helper()
			kit.Must(t, os.Rename(dir, dir+"x"))
			kit.Must(t, os.Symlink(dir+"x", dir))
		}, "name the folder itself"},
		"file": {func(t *testing.T, dir string) {
			t.Helper()
			kit.Must(t, os.Remove(dir))
			kit.Must(t, os.WriteFile(dir, nil, 0o600))
		}, "name the folder itself"},
	} {
		p := newPlace(t)
		dir := filepath.Join(filepath.Dir(p.Log), "node-exporter")
		kit.Must(t, os.Mkdir(dir, 0o755))
		p.File = filepath.Join(dir, "rolecall.prom")
		p.write(t, masked)
		test.do(t, dir)
		err, checked := p.Do(), metrics.CheckFolder(dir)
		if (err == nil) != (test.want == "") || (checked == nil) != (test.want == "") {
			t.Errorf("%s: %v, and checked: %v", name, err, checked)
		}
		if err != nil && (!strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "metrics_file "+p.File+" is not up to date: ")) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
		p.File = filepath.Join(filepath.Dir(p.Log), "other.prom")
		kit.Must(t, p.Do())
		if got := p.read(t); got["masked_total"] != 1 {
			t.Errorf("%s, and then elsewhere: %v", name, got)
		}
	}
}

// TestMode: all can read the file, whatever the umask is. A link in its place is replaced, and what
// it leads to stays as it is.
func TestMode(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	elsewhere := filepath.Join(filepath.Dir(p.File), "elsewhere")
	kit.Must(t, os.WriteFile(elsewhere, []byte("x"), 0o600))
	kit.Must(t, os.Symlink("elsewhere", p.File))
	kit.Must(t, os.Symlink("elsewhere", filepath.Join(filepath.Dir(p.File), ".rolecall.prom.new")))
	kit.Must(t, p.Do())
	info, err := os.Lstat(p.File)
	kit.Must(t, err)
	if text, err := os.ReadFile(elsewhere); info.Mode() != 0o644 || string(text) != "x" || err != nil {
		t.Errorf("mode %v, and the other file has %q", info.Mode(), text)
	}
	kept, err := os.Lstat(p.Log + ".metrics")
	if kit.Must(t, err); kept.Mode() != 0o600 {
		t.Errorf("the counts have mode %v", kept.Mode())
	}
}

// TestLinkToLog: root's links on the way to the log are followed, as the log's own lines are
// written there.
func TestLinkToLog(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, os.Symlink(filepath.Dir(p.Log), filepath.Join(t.TempDir(), "log")))
	dir := t.TempDir()
	kit.Must(t, os.Symlink(filepath.Dir(p.Log), filepath.Join(dir, "log")))
	p.Log = filepath.Join(dir, "log", "audit.jsonl")
	p.write(t, masked)
	kit.Must(t, p.Do())
	if got := p.read(t); got["masked_total"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestOpenLog: a log in a folder that others can change is not counted.
func TestOpenLog(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, os.Chmod(filepath.Dir(p.Log), 0o770))
	if err := p.Do(); err == nil || !strings.Contains(err.Error(), "has mode 0770, so others may write to it") {
		t.Error(err)
	}
}
