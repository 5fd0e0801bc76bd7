package admin_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admin"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/suspension"
	"rolecall/test/auditlog"
	"rolecall/test/kit"
)

// admins is a world with an audit log, whose admins suspend tenants.
type admins struct {
	*world

	t    *testing.T
	file string // the policy file
}

// newAdmins returns a world in which nobody is suspended.
func newAdmins(t *testing.T) *admins {
	t.Helper()
	a := &admins{world: newWorld(t), t: t}
	a.policy = "audit_log = \"" + a.log() + "\"\n" + a.policy
	a.file = a.write(t, "rolecall.toml", []byte(a.policy))
	return a
}

// log returns the path of the audit log.
func (a *admins) log() string { return filepath.Join(a.dir, "audit.jsonl") }

// as runs a command as a user who has called sudo.
func (a *admins) as(user string, args ...string) result {
	var out, errors bytes.Buffer
	code := admin.Program{grant.AWS{}}.Serve(append(args, "--config", a.file), []string{"SUDO_USER=" + user}, strings.NewReader(""), &out, &errors)
	return result{code, out.String(), errors.String()}
}

// does runs a command that must succeed, and returns what it prints.
func (a *admins) does(args ...string) string {
	a.t.Helper()
	got := a.as("jane", args...)
	if got.code != 0 || got.errors != "" {
		a.t.Errorf("%q: %+v", args, got)
	}
	return got.out
}

// list returns what is suspended.
func (a *admins) list() suspension.List {
	a.t.Helper()
	l, err := suspension.Beside(a.file).Read()
	kit.Must(a.t, err)
	return l
}

// told returns the lines of the audit log, without what is the same in all, and checks them.
func (a *admins) told() string {
	a.t.Helper()
	content, err := os.ReadFile(a.log())
	kit.Must(a.t, err)
	auditlog.Check(a.t, content)
	var lines strings.Builder
	for decoder := json.NewDecoder(bytes.NewReader(content)); decoder.More(); {
		var e map[string]any
		kit.Must(a.t, decoder.Decode(&e))
		for _, same := range []string{"time", "host", "boot_id", "version"} {
			delete(e, same)
		}
		if e["until"] != nil {
			e["until"] = "set"
		}
		line, err := json.Marshal(e)
		kit.Must(a.t, err)
		lines.WriteString(string(line) + "\n")
	}
	return lines.String()
}

// TestSuspend: an admin suspends tenants, is shown all that is suspended, and ends it again. The audit
// log says who that was.
func TestSuspend(t *testing.T) {
	t.Parallel()
	a := newAdmins(t)
	out := a.does("suspend", "alpha", "--reason", "a leak", "--until", "2h", "--now")
	if head, rest, _ := strings.Cut(out, "\n\n"); head != `suspended: tenant "alpha"` || !strings.HasPrefix(rest, "SUSPENDED  SINCE") || !strings.Contains(rest, "are ended  jane  a leak\n") {
		t.Errorf("it prints\n%s", out)
	}
	s := a.list()[0]
	if left := time.Until(s.Until); len(a.list()) != 1 || s.Tenant != "alpha" || s.All || !s.Now || s.By != "jane" || s.Reason != "a leak" || time.Since(s.Since) > time.Minute || left > 2*time.Hour+time.Second || left < 119*time.Minute {
		t.Errorf("%+v", a.list())
	}
	a.does("suspend", "alpha")
	a.does("suspend", "--all", "--until", "3026-02-03T05:05:06+01:00")
	if l := a.list(); len(l) != 2 || l[0].Tenant != "alpha" || l[0].Now || !l[0].Until.IsZero() || !l[1].All || l[1].Until.Format(time.RFC3339) != "3026-02-03T04:05:06Z" {
		t.Errorf("%+v", l)
	}
	if out := a.does("resume", "--all"); !strings.HasPrefix(out, "the suspension of all tenants has ended\n\nSUSPENDED") || !strings.Contains(out, "\nalpha      ") || !strings.Contains(out, "rolecall resume  go on") {
		t.Errorf("it prints\n%s", out)
	}
	if out := a.does("resume", "alpha"); out != "the suspension of tenant \"alpha\" has ended\n" || a.list() != nil {
		t.Errorf("it prints\n%s, and has %+v", out, a.list())
	}
	want := `{"by":"jane","event":"suspended","now":true,"program":"rolecall","reason":"a leak","tenant":"alpha","until":"set"}
{"by":"jane","event":"suspended","program":"rolecall","tenant":"alpha"}
{"all":true,"by":"jane","event":"suspended","program":"rolecall","until":"set"}
{"all":true,"by":"jane","event":"resumed","program":"rolecall"}
{"by":"jane","event":"resumed","program":"rolecall","tenant":"alpha"}
`
	if told := a.told(); told != want {
		t.Errorf("the audit log has\n%s", told)
	}
}

// TestSuspendJSON: programs get the whole list.
func TestSuspendJSON(t *testing.T) {
	t.Parallel()
	a := newAdmins(t)
	for _, args := range [][]string{{"suspend", "alpha", "--json"}, {"suspend", "beta", "--json"}, {"resume", "beta", "--json"}, {"resume", "alpha", "--json"}} {
		var got struct {
			File      string
			Suspended suspension.List
		}
		out := a.does(args...)
		if err := json.Unmarshal([]byte(out), &got); err != nil || got.File != a.dir+"/suspended.json" || got.Suspended == nil || len(got.Suspended) != len(a.list()) {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}

// TestSuspendRefused: a wrong command line, a name that nobody has, and a suspension that there is
// not, change nothing.
func TestSuspendRefused(t *testing.T) {
	t.Parallel()
	a := newAdmins(t)
	for args, test := range map[string]struct {
		code int
		says string
	}{
		"suspend":                                    {2, "rolecall: name one tenant, or --all\n"},
		"suspend alpha --all":                        {2, "name one tenant, or --all"},
		"resume":                                     {2, "name one tenant, or --all"},
		"suspend alpha beta":                         {2, `unknown argument "beta"`},
		"suspend A":                                  {2, `tenant name "A": want `},
		"suspend alpha --until 5":                    {2, "want a time such as 2026-02-03T08:00:00Z, or a duration such as 2h"},
		"suspend alpha --until -1h":                  {2, "want a time in the future: it is 20"},
		"suspend alpha --until 2020-01-01":           {2, "want a time such as"},
		"suspend alpha --reason \x1b[2J":             {2, `--reason: the text "\x1b[2J" cannot be printed on one line`},
		"suspend alpha --no-policy":                  {2, "--no-policy and --config contradict each other"},
		"resume alpha --now":                         {2, "unknown flag: --now"},
		"suspend alhpa":                              {1, `rolecall: error: nothing is suspended: the policy file has no tenant "alhpa"; do you mean alpha?; --force suspends it all the same` + "\n"},
		"suspend bet":                                {1, "do you mean beta?"},
		"suspend something-else":                     {1, `the policy file has no tenant "something-else"; --force suspends`},
		"resume alpha":                               {1, `rolecall: error: nothing is resumed: there is no suspension of tenant "alpha"` + "\n"},
		"resume --all":                               {1, "rolecall: error: nothing is resumed: there is no suspension of all tenants\n"},
		"suspend alpha --until 2020-01-01T00:00:00Z": {2, "want a time in the future"},
	} {
		got := a.as("jane", strings.Fields(args)...)
		if got.code != test.code || got.out != "" || !strings.Contains(got.errors, test.says) {
			t.Errorf("%s: %+v, want %d %q", args, got, test.code, test.says)
		}
	}
	if _, err := os.Stat(a.log()); err == nil || a.list() != nil {
		t.Errorf("the audit log is %v, suspended are %+v", err, a.list())
	}
	if a.does("suspend", "gone", "--force"); len(a.list()) != 1 {
		t.Errorf("with --force: %+v", a.list())
	}
}

// TestSuspendBroken: a suspension holds also if the audit log or the policy file is broken, and a
// tenant is not resumed then. A file of suspensions that is broken is not touched.
func TestSuspendBroken(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(a *admins) error
		warns string
	}{
		"audit log":   {func(a *admins) error { return os.Mkdir(a.log(), 0o700) }, "rolecall: warning: the suspension holds, and the audit log does not say so: audit log "},
		"policy file": {func(a *admins) error { return os.WriteFile(a.file, []byte("x"), 0o600) }, "rolecall: warning: the policy file cannot be read, and so nobody knows whether it has the tenant: "},
	} {
		a := newAdmins(t)
		kit.Must(t, test.spoil(a))
		if got := a.as("jane", "suspend", "alpha"); got.code != 0 || !strings.HasPrefix(got.errors, test.warns) || len(a.list()) != 1 {
			t.Errorf("%s: %+v", name, got)
		}
		if got := a.as("jane", "resume", "alpha"); got.code != 1 || got.out != "" || len(a.list()) != 1 {
			t.Errorf("%s: resume: %+v", name, got)
		}
	}
	a := newAdmins(t)
	a.write(t, "suspended.json", []byte("{"))
	for _, command := range []string{"suspend", "resume"} {
		if got := a.as("jane", command, "alpha"); got.code != 1 || !strings.Contains(got.errors, "or remove it: then no tenant is suspended") {
			t.Errorf("%s: %+v", command, got)
		}
	}
}

// TestSuspendedBy: the admin is the user who has called sudo, else the user of the process; a name
// that cannot be printed is left out.
func TestSuspendedBy(t *testing.T) {
	t.Parallel()
	a := newAdmins(t)
	for name, want := range map[string]func(by string) bool{
		"":       func(by string) bool { return by != "" && by != "jane" },
		"jane":   func(by string) bool { return by == "jane" },
		"\x1b[A": func(by string) bool { return by == "" },
	} {
		if got := a.as(name, "suspend", "alpha"); got.code != 0 || !want(a.list()[0].By) {
			t.Errorf("%q: %+v, by %q", name, got, a.list()[0].By)
		}
	}
}

// TestSuspendedIsSeen: explain and check tell an admin of a suspension.
func TestSuspendedIsSeen(t *testing.T) {
	t.Parallel()
	a := newAdmins(t)
	a.does("suspend", "alpha", "--reason", "a leak")
	if got := a.explain(t, a.token()); got.code != 1 || !strings.Contains(got.out, `tenant "alpha" is suspended since `) {
		t.Errorf("explain: %+v", got)
	}
	none := filepath.Join(a.dir, "none.toml")
	if got := a.as("jane", "check", "--runner-config", none); !strings.Contains(got.out, `tenant "alpha" is suspended since `) || !strings.Contains(got.out, " by jane: a leak") || !strings.Contains(got.out, "\n        rolecall resume alpha\n") {
		t.Errorf("check: %+v", got)
	}
	a.write(t, "suspended.json", []byte("{"))
	if got := a.as("jane", "check", "--runner-config", none); !strings.Contains(got.out, "it is not known which tenants are suspended") {
		t.Errorf("check: %+v", got)
	}
	a.write(t, "suspended.json", []byte(`{"format": 1, "suspended": [{"all": true, "since": "2026-02-03T04:05:06Z"}]}`))
	if got := a.as("jane", "check", "--runner-config", none); !strings.Contains(got.out, "all tenants are suspended since 2026-02-03T04:05:06Z") || !strings.Contains(got.out, "rolecall resume --all") {
		t.Errorf("check: %+v", got)
	}
	a.write(t, "suspended.json", []byte(`{"format": 1, "suspended": [{"all": true, "since": "2026-02-03T04:05:06Z", "until": "2026-02-03T04:05:07Z"}]}`))
	if got := a.as("jane", "check", "--verbose", "--runner-config", none); !strings.Contains(got.out, "no tenant is suspended") {
		t.Errorf("check: %+v", got)
	}
}
