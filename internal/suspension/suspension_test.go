package suspension_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/suspension"
	"rolecall/test/kit"
)

// newFile returns the file beside a policy file, with that content; empty: there is none.
func newFile(t *testing.T, content string) suspension.File {
	t.Helper()
	f := suspension.Beside(filepath.Join(t.TempDir(), "rolecall.toml"))
	if content != "" {
		kit.Must(t, os.WriteFile(f.Path, []byte(content), 0o600))
	}
	return f
}

// suspending returns the content of a file with those suspensions.
func suspending(list ...string) string {
	return `{"format": 1, "suspended": [` + strings.Join(list, ", ") + `]}`
}

// TestRefuse: a tenant is suspended by its name or with all others, until the time of the clock that
// is named. An author is told the reason, and who ends it.
func TestRefuse(t *testing.T) {
	t.Parallel()
	const since = `"since": "2026-02-03T04:05:06Z"`
	const ask = "; ask the runner's admin, and run the job again when that has ended"
	for name, test := range map[string]struct {
		content string
		ends    bool
		want    string // the error about alpha; empty: there is none
	}{
		"no file":    {"", false, ""},
		"nobody":     {suspending(), false, ""},
		"another":    {suspending(`{"tenant": "beta", ` + since + `}`), false, ""},
		"a prefix":   {suspending(`{"tenant": "alph", ` + since + `}`), false, ""},
		"itself":     {suspending(`{"tenant": "alpha", ` + since + `}`), false, `tenant "alpha" is suspended since 2026-02-03 04:05 UTC` + ask},
		"all":        {suspending(`{"all": true, ` + since + `, "reason": "a leak"}`), false, `all tenants are suspended since 2026-02-03 04:05 UTC: a leak` + ask},
		"ended":      {suspending(`{"tenant": "alpha", ` + since + `, "until": "2026-02-03T05:05:06Z"}`), false, ""},
		"not yet":    {suspending(`{"tenant": "alpha", ` + since + `, "until": "3026-02-03T05:05:06Z"}`), false, `tenant "alpha" is suspended since 2026-02-03 04:05 UTC` + ask},
		"clock back": {suspending(`{"tenant": "alpha", "since": "3026-02-03T04:05:06Z"}`), false, `tenant "alpha" is suspended since 3026-02-03 04:05 UTC` + ask},
		"the harder counts": {
			suspending(`{"tenant": "alpha", `+since+`, "by": "jane"}`, `{"all": true, "now": true, `+since+`}`, `{"tenant": "alpha", `+since+`}`), true,
			`all tenants are suspended since 2026-02-03 04:05 UTC` + ask,
		},
	} {
		ends, err := newFile(t, test.content).Judge("alpha")
		if text(err) != test.want || ends != test.ends {
			t.Errorf("%s: %q, %v, want %q", name, text(err), ends, test.want)
		}
		if err != nil && fault.CodeOf(err) != fault.Suspended {
			t.Errorf("%s: code %s", name, fault.CodeOf(err))
		}
	}
}

// TestRows: the message says until when.
func TestRows(t *testing.T) {
	t.Parallel()
	for until, want := range map[string]string{"": "the runner's admin ends it", `, "until": "3026-02-03T05:05:06+01:00"`: "3026-02-03 04:05 UTC"} {
		err := newFile(t, suspending(`{"tenant": "alpha", "since": "2026-02-03T04:05:06Z", "reason": "a leak"`+until+`}`)).Refuse("alpha")
		rows := fault.Rows(err)
		if len(rows) != 2 || rows[0] != (fault.Row{Label: "reason", Text: "a leak", Detail: true}) || rows[1] != (fault.Row{Label: "until", Text: want}) {
			t.Errorf("rows %+v, want %q", rows, want)
		}
	}
}

// TestBroken: a file that cannot be read, or is not as rolecall writes it, gives nothing to anybody.
func TestBroken(t *testing.T) {
	t.Parallel()
	const since = `"since": "2026-02-03T04:05:06Z"`
	for name, content := range map[string]string{
		"no JSON":             "{",
		"empty":               " ",
		"two values":          suspending() + suspending(),
		"another format":      `{"format": 2, "suspended": []}`,
		"no format":           `{"suspended": []}`,
		"an unknown key":      suspending(`{"tenant": "beta", ` + since + `, "project": "x"}`),
		"an unknown key, top": `{"format": 1, "suspended": [], "x": 1}`,
		"nobody":              suspending(`{` + since + `}`),
		"one and all":         suspending(`{"tenant": "beta", "all": true, ` + since + `}`),
		"no time":             suspending(`{"tenant": "beta"}`),
		"a time of nonsense":  suspending(`{"tenant": "beta", "since": "today"}`),
		"an escape sequence":  suspending(`{"tenant": "beta", ` + since + `, "reason": "\u001b[2J"}`),
		"two lines":           suspending(`{"tenant": "beta", ` + since + `, "by": "a\nb"}`),
		"a long text":         suspending(`{"tenant": "beta", ` + since + `, "reason": "` + strings.Repeat("x", 201) + `"}`),
		"too large":           suspending() + strings.Repeat(" ", 1<<20),
	} {
		checkBroken(t, name, newFile(t, content))
	}
}

// checkBroken fails the test unless a file gives nothing to anybody.
func checkBroken(t *testing.T, name string, f suspension.File) {
	t.Helper()
	list, err := f.Read()
	refused := f.Refuse("alpha")
	for _, err := range []error{err, refused} {
		if text := text(err); list != nil || fault.CodeOf(err) != fault.BadSuspension || !strings.HasPrefix(text, "it is not known which tenants are suspended, and none gets anything: "+f.Path) ||
			!strings.HasSuffix(text, "; correct "+f.Path+", or remove it: then no tenant is suspended") {
			t.Errorf("%s: %v, code %s: %v", name, list, fault.CodeOf(err), err)
		}
	}
}

// TestForeign: a file that others can have written gives nothing to anybody.
func TestForeign(t *testing.T) {
	t.Parallel()
	f := newFile(t, suspending())
	dir := filepath.Dir(f.Path)
	kit.Must(t, f.Refuse("alpha"))
	for name, spoil := range map[string]func() error{
		"others write":         func() error { return os.Chmod(f.Path, 0o606) },
		"the group writes":     func() error { return os.Chmod(f.Path, 0o660) },
		"a folder of others":   func() error { return os.Chmod(dir, 0o777) },
		"a folder in its way":  func() error { return os.Mkdir(f.Path, 0o700) },
		"a link to nothing":    func() error { return os.Symlink(dir+"/nothing", f.Path) },
		"a link to itself":     func() error { return os.Symlink(f.Path, f.Path) },
		"a file of another":    func() error { return os.Chown(f.Path, 12345, 0) },
		"a link to a broken":   func() error { return linked(f, "{") },
		"a link of many steps": func() error { return linked(f, "") },
	} {
		if strings.Contains(name, "another") && os.Geteuid() != 0 {
			continue // only root can give files away
		}
		kit.Must(t, os.RemoveAll(f.Path))
		if !strings.Contains(name, "link") && name != "a folder in its way" {
			kit.Must(t, os.WriteFile(f.Path, []byte(suspending()), 0o600))
		}
		kit.Must(t, spoil())
		checkBroken(t, name, f)
		kit.Must(t, os.Chmod(dir, 0o700))
	}
}

// linked puts a link in the place of a file, to a file with that content; empty: to nothing.
func linked(f suspension.File, content string) error {
	to := f.Path + ".target"
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	if content != "" {
		if err := os.WriteFile(to, []byte(content), 0o600); err != nil {
			return err
		}
	}
	return os.Symlink(to, f.Path)
}

// TestLinked: a file may be a link, as all files of a volume of Kubernetes are.
func TestLinked(t *testing.T) {
	t.Parallel()
	f := newFile(t, "")
	kit.Must(t, linked(f, suspending(`{"tenant": "alpha", "since": "2026-02-03T04:05:06Z"}`)))
	if err := f.Refuse("alpha"); fault.CodeOf(err) != fault.Suspended {
		t.Errorf("%v", err)
	}
}

// TestNoFolder: where there is no folder, nobody is suspended.
func TestNoFolder(t *testing.T) {
	t.Parallel()
	kit.Must(t, suspension.File{Path: t.TempDir() + "/none/suspended.json"}.Refuse("alpha"))
}

// text returns the text of an error, empty for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// since is a time.
func since() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) }
