package policyfile_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/tenant"
)

// TestSpellings: however a file is spelled in TOML, it says the same.
func TestSpellings(t *testing.T) {
	t.Parallel()
	const gitlab, alpha = "[gitlab]\nissuer = \"https://gitlab.example.com\"\n", "[[tenant]]\nname = \"alpha\"\n" +
		"role_arn = \"arn:aws:iam::111122223333:role/a\"\naudience = \"aud\"\nprojects = [\"acme/x\"]\n"
	const limits = "[defaults]\nmax_open_files = 1024\npolicy_arns = []\n[gate]\nmax_bytes = 4096\n[sts]\nproxy = \"http://p\"\n"
	want := compile(t, gitlab+limits+alpha)
	for name, text := range map[string]string{
		"another order":         alpha + limits + gitlab,
		"tables between":        "[gate]\nmax_bytes = 4096\n" + alpha + "[sts]\nproxy = \"http://p\"\n" + gitlab + "[defaults]\npolicy_arns = []\nmax_open_files = 1024\n",
		"dotted keys":           "gitlab.issuer = \"https://gitlab.example.com\"\ngate.max_bytes = 4096\nsts.proxy = \"http://p\"\ndefaults.max_open_files = 1024\ndefaults.policy_arns = []\n" + alpha,
		"dotted keys in quotes": "\"gitlab\" . 'issuer' = 'https://gitlab.example.com'\n" + limits + alpha,
		"spaces in brackets":    "[ gitlab ]\n\tissuer=\"https://gitlab.example.com\"\n" + limits + strings.Replace(alpha, "[[tenant]]", "[[ tenant ]]", 1),
		"table names in quotes": strings.Replace(gitlab, "gitlab", "'gitlab'", 1) + limits + strings.Replace(alpha, "[[tenant]]", "[[\"tenant\"]]", 1),
		"escaped key":           gitlab + limits + strings.Replace(alpha, "name", "\"n\\u0061me\"", 1),
		"literal texts":         gitlab + limits + strings.ReplaceAll(alpha, "\"", "'"),
		"texts of many lines":   gitlab + limits + strings.Replace(alpha, "\"aud\"", "\"\"\"\n\\\n  aud\"\"\"", 1),
		"lists of many lines":   gitlab + limits + strings.Replace(alpha, "[\"acme/x\"]", "[ # one\n\n  '''acme/x''' , # a comma\n]", 1),
		"numbers":               gitlab + strings.NewReplacer("1024", "0x4_00", "4096", "+4_096", "[]", "[ # none\n]").Replace(limits) + alpha,
		"Windows":               strings.ReplaceAll(gitlab+limits+alpha, "\n", "\r\n"),
	} {
		got := compile(t, text)
		if diff := cmp.Diff(want.Tenants(), got.Tenants(), byText()); diff != "" {
			t.Errorf("%s: the tenants differ:\n%s", name, diff)
		}
		if diff := cmp.Diff(want.Settings(), got.Settings()); diff != "" {
			t.Errorf("%s: the settings differ:\n%s", name, diff)
		}
	}
	if got := want.Tenants(); len(got) != 1 || got[0].Limits.OpenFiles != 1024 || want.Settings().Gate.MaxBytes != 4096 {
		t.Errorf("what they are compared with lacks something: %+v", got)
	}
}

// TestSpellingsRefused: what is valid TOML but spelled so that it could be read in two
// ways is an error, and never left out.
func TestSpellingsRefused(t *testing.T) {
	t.Parallel()
	const gitlab = "[gitlab]\nissuer = \"https://gitlab.example.com\"\n"
	for text, want := range map[string]string{
		"tenant = []\n" + gitlab:                                 "1: tenant is a table",
		"tenant = [{name = \"a\"}]\n" + gitlab:                   "1: tenant is a table",
		"tenant = [{}, {}]\n" + gitlab:                           "1: tenant is a table",
		"tenant = {}\n" + gitlab:                                 "1: tenant is a table",
		"tenant = \"a\"\n" + gitlab:                              "1: tenant is a table",
		"defaults = {}\n" + minimal:                              "1: defaults is a table",
		"defaults = []\n" + minimal:                              "1: defaults is a table",
		"gate = {max_bytes = 1}\n" + minimal:                     "1: gate is a table",
		minimal + "[[defaults]]\n":                               "8: write [defaults] with one bracket",
		minimal + "[[gate]]\nmax_bytes = 1\n":                    "8: write [gate] with one bracket",
		minimal + "[defaults.refs]\n":                            `8: unknown table "defaults.refs"`,
		"gitlab.issuer.x = \"a\"\n" + minimal:                    `1: unknown key "gitlab.issuer.x" in the top`,
		"gitlab.ca_bundle = {}\n" + minimal:                      "1: ca_bundle: want a text",
		minimal + "gitlab.issuer = \"https://a.example\"\n":      `8: unknown key "gitlab.issuer" in [tenant]`,
		minimal + "refs = {a = 1}\n":                             "8: refs: want a list of texts",
		minimal + "refs = [{}]\n":                                "8: refs: want a list of texts",
		minimal + "refs = [[]]\n":                                "8: refs: want a list of texts",
		minimal + "refs = [true]\n":                              "8: refs: want a list of texts",
		minimal + "refs = [ # none\n]\n":                         `8: tenant "alpha": refs: the list is empty`,
		minimal + "region = []\n":                                "8: region: want a text",
		minimal + "max_memory = []\n":                            "8: max_memory: want a whole number",
		minimal + "max_memory = 9223372036854775808\n":           "8: ",
		minimal + "max_memory = 99999999999999999999999\n":       "8: ",
		minimal + "max_memory = 0x8000000000000000\n":            "8: ",
		minimal + "max_memory = -9223372036854775808\n":          `8: tenant "alpha": max_memory: want a number`,
		minimal + "max_memory = 1e3\n":                           "8: max_memory: want a whole number",
		minimal + "max_memory = inf\n":                           "8: max_memory: want a whole number",
		minimal + "[gate]\nmax_bytes = 0xffffffffffffffff\n":     "9: ",
		minimal + "protected = []\n":                             "8: protected: want true or false",
		minimal + "[[tenant]]\n[[tenant]]\nname = \"b\"\n":       "8: tenant 2 of the file: name: it is missing",
		"\"\" = 1\n" + minimal:                                   `1: unknown key "" in the top`,
		minimal + "[defaults]\nrefs = []\n":                      "9: [defaults] refs: the list is empty",
		strings.Replace(minimal, `["acme/x"]`, "[]", 1):          `7: tenant "alpha": projects: the list is empty`,
		"gitlab.issuer = \"https://a.example\"\n[[tenant]]\nx=1": `3: unknown key "x" in [tenant]`,
	} {
		if got := refused(t, text); !strings.HasPrefix(got[0], "/etc/p.toml:"+want) {
			t.Errorf("%s:\n got %q\nwant %q", text, got, want)
		}
	}
}

// TestEmptyTables: a table without keys says nothing, and a tenant may have all from
// the defaults but its name.
func TestEmptyTables(t *testing.T) {
	t.Parallel()
	text := "shared_user = \"unsafe\"\n[gate]\n[sts]\n" + strings.Replace(minimal, "[[tenant]]\nname = \"alpha\"", "[defaults]", 1)
	got := compile(t, text+"[[tenant]]\nname = \"a\"\n[[tenant]]\nname = \"b\"\npolicy_arns = []\n").Tenants()
	if len(got) != 2 || got[0].Name != "a" || got[1].Name != "b" {
		t.Fatalf("the tenants are %+v", got)
	}
	for _, one := range got {
		if texts(one.Projects) != "acme/x" || one.Audience != "aud" || len(one.Gifts) != 1 {
			t.Errorf("tenant %s lacks what the defaults say: %+v", one.Name, one)
		}
	}
}

// TestLargestNumber: a number is read to its last digit.
func TestLargestNumber(t *testing.T) {
	t.Parallel()
	text := minimal + fmt.Sprintf("max_memory = %d\n[gate]\nmax_bytes = %[1]d\n", math.MaxInt64)
	policy := compile(t, text)
	if got := policy.Tenants()[0].Limits; got != (tenant.Limits{Memory: math.MaxInt64}) || policy.Settings().Gate.MaxBytes != math.MaxInt64 {
		t.Errorf("%+v and %+v", got, policy.Settings().Gate)
	}
}

// TestPatternKeys: each key has the patterns of its kind.
func TestPatternKeys(t *testing.T) {
	t.Parallel()
	settings := "[gitlab]\nissuer = \"https://gitlab.example.com\"\n[defaults]\nrole_arn = \"arn:aws:iam::111122223333:role/a\"\n" +
		"audience = \"aud\"\nprojects = [\"acme/x\"]\n[[tenant]]\nname = \"alpha\"\n"
	for line, want := range map[string]string{
		`projects = ["ok/ok", "acme"]`:       `projects: "acme": it cannot match: a project's path has a group`,
		`refs = ["main", "refs/heads/main"]`: `refs: "refs/heads/main": it cannot match: GitLab's claim is the short name`,
		`environments = ["prod", "a:b"]`:     `environments: "a:b": it cannot match: no environment has`,
	} {
		if got := refused(t, settings+line); len(got) != 1 || !strings.HasPrefix(got[0], `/etc/p.toml:9: tenant "alpha": `+want) {
			t.Errorf("%s:\n got %q\nwant %q", line, got, want)
		}
	}
	compile(t, settings+"environments = [\"refs/heads/main\"]\nrefs = [\"acme\"]\n")
}
