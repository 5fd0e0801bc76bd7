package vault_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/static"
	"rolecall/internal/creds/vault"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// base is a policy file that ends with the first keys of a source.
const base = `[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
[[tenant.source]]
name = "db"
provider = "vault"
`

// good are the keys of a source, in five lines.
const good = `address = "https://vault.example.com:8200"
role = "deploy"
[[tenant.source.read]]
path = "database/creds/deploy"
env = { PGPASSWORD = "{password}" }
`

// compile compiles a policy file with more at its end.
func compile(more string) (*tenant.Policy, error) {
	return policyfile.Compile("/p", []byte(base+more), grant.AWS{}, static.Provider{}, vault.Provider{})
}

// settings returns the settings of the source with those keys.
func settings(t *testing.T, keys string) vault.Settings {
	t.Helper()
	policy, err := compile(keys)
	if err != nil {
		t.Fatal(err)
	}
	s, ok := policy.Tenants()[0].Gifts[0].Settings.(vault.Settings)
	if !ok {
		t.Fatalf("%T", policy.Tenants()[0].Gifts[0].Settings)
	}
	return s
}

// all are all keys of a source.
const all = `address = "https://vault.example.com/v"
namespace = "admin/team/"
auth_path = "ci/jwt/"
role = "deploy.a-b@c"
ca_bundle = "/etc/ca.pem"
token = true
[[tenant.source.read]]
path = "database/creds/deploy"
env = { PGUSER = "{username}", PGPASSWORD = "{password}" }
plain = ["PGUSER", "username"]
[[tenant.source.read]]
path = "secret/data/app name"
files = { TLS_KEY = "{key}" }
`

// TestSource: a source is compiled to what stands in it.
func TestSource(t *testing.T) {
	t.Parallel()
	want := vault.Settings{
		Address: "https://vault.example.com/v", Namespace: "admin/team", AuthPath: "ci/jwt", Role: "deploy.a-b@c", CABundle: "/etc/ca.pem", Token: true,
		Reads: []vault.Read{
			{Path: "database/creds/deploy", Env: []vault.Pair{{"PGPASSWORD", "{password}"}, {"PGUSER", "{username}"}}, Plain: []string{"PGUSER", "username"}},
			{Path: "secret/data/app name", Files: []vault.Pair{{"TLS_KEY", "{key}"}}},
		},
	}
	if diff := cmp.Diff(want, settings(t, all)); diff != "" {
		t.Error(diff)
	}
	if urls, bundle := want.Servers(); !slices.Equal(urls, []string{want.Address}) || bundle != "/etc/ca.pem" {
		t.Errorf("the servers are %q, by %q", urls, bundle)
	}
	if s := settings(t, good); s.AuthPath != "jwt" || s.Token {
		t.Errorf("%+v", s)
	}
	s := settings(t, "address = \"http://127.0.0.1:8200\"\nrole = \"r\"\ntoken = true\n")
	if names, always := s.Sets(); len(s.Reads) != 0 || !slices.Equal(names, []string{"VAULT_TOKEN", "VAULT_ADDR"}) || !always {
		t.Errorf("%+v sets %q", s, names)
	}
}

// TestOrder: an order has all that the server must be asked, and which variables come of it.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := settings(t, all)
	a := admission.Asker{Source: "db", Settings: s, Response: job.Response{Timeout: time.Hour}, ReadFile: func(_, path string) ([]byte, error) {
		return []byte("PEM of " + path), nil
	}}
	order, err := vault.Provider{}.Order(a)
	if err != nil {
		t.Fatal(err)
	}
	sets := []string{"PGPASSWORD", "PGUSER", "TLS_KEY", "VAULT_TOKEN", "VAULT_ADDR", "VAULT_NAMESPACE", "VAULT_CACERT"}
	if order.Provider != "vault" || order.Lifetime != time.Hour || !slices.Equal(order.Sets, sets) {
		t.Errorf("%+v", order)
	}
	for name, want := range map[string]bool{"VAULT_TOKEN": true, "VAULT_SKIP_VERIFY": true, "BAO_TOKEN": true, "BAO_ADDR": true, "VAULT_ID_TOKEN": false, "VAULT_FORMAT": false, "PGHOST": false} {
		if got := slices.ContainsFunc(order.Wins, func(pattern string) bool { return creds.Covers(pattern, name) }); got != want {
			t.Errorf("%s would win: %v", name, got)
		}
	}
	terms, err := vault.ParseTerms(order.Terms)
	s.CABundle = ""
	if diff := cmp.Diff(vault.Terms{Settings: s, CA: []byte("PEM of /etc/ca.pem")}, terms); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	plain, err := vault.Provider{}.Order(admission.Asker{Settings: settings(t, good), ReadFile: policyfile.ReadNamed})
	if err != nil || !slices.Equal(plain.Sets, []string{"PGPASSWORD"}) || plain.Wins != nil || strings.Contains(string(plain.Terms), `"ca"`) {
		t.Errorf("%+v, %v", plain, err)
	}
}

// TestBadOrders: settings of others, files that cannot be read and terms of others give no order.
func TestBadOrders(t *testing.T) {
	t.Parallel()
	if o, err := (vault.Provider{}).Order(admission.Asker{Settings: 1}); err == nil || o.Provider != "" {
		t.Errorf("%+v, %v", o, err)
	}
	unread := errors.New("unread")
	a := admission.Asker{Settings: settings(t, all), ReadFile: func(string, string) ([]byte, error) { return nil, unread }}
	if o, err := (vault.Provider{}).Order(a); !errors.Is(err, unread) || o.Provider != "" {
		t.Errorf("%+v, %v", o, err)
	}
	a.ReadFile = func(string, string) ([]byte, error) { return make([]byte, creds.MaxFile+1), nil }
	if _, err := (vault.Provider{}).Order(a); fault.CodeOf(err) != fault.BadPolicy {
		t.Error(err)
	}
	for _, bad := range []string{"", "{", `{"x":1}`, `{}{}`} {
		if _, err := vault.ParseTerms(json.RawMessage(bad)); err == nil {
			t.Errorf("%q are terms", bad)
		}
	}
}

// TestRefused: what is wrong in a source is told with its line.
func TestRefused(t *testing.T) {
	t.Parallel()
	const of = `tenant "alpha": source "db": `
	change := func(old, with string) string { return strings.Replace(good, old, with, 1) }
	many := strings.Repeat("[[tenant.source.read]]\npath = \"x\"\nenv = { A = \"{b}\" }\n", 20)
	for name, test := range map[string]struct{ keys, want string }{
		"nothing":             {"", "/p:7: " + of + "address is missing"},
		"no role":             {change("role = \"deploy\"\n", ""), "/p:7: " + of + "role is missing"},
		"gives nothing":       {"address = \"https://v\"\nrole = \"r\"\n", "/p:7: " + of + "it gives nothing; add [[tenant.source.read]]"},
		"plain http":          {change("https:", "http:"), "/p:10: " + of + "address: want an https:// URL"},
		"a namespace":         {"namespace = \"/x\"\n" + good, "/p:10: " + of + `namespace: "/x": want the name of a namespace`},
		"an auth path":        {"auth_path = \"auth/jwt\"\n" + good, "/p:10: " + of + "auth_path: want the path without auth/"},
		"auth above":          {"auth_path = \"../sys\"\n" + good, "/p:10: " + of + "auth_path: "},
		"an empty role":       {change(`"deploy"`, `""`), "/p:7: " + of + "role is missing"},
		"a long role":         {change(`"deploy"`, `"`+strings.Repeat("r", 257)+`"`), "want the name of a role"},
		"a long path":         {change("database/", strings.Repeat("d", 250)), "want a path such as"},
		"a path here":         {change("database/", "database/./"), "read 1: path: "},
		"a blank at the end":  {change("deploy\"\nenv", "deploy \"\nenv"), "/p:13: " + of + "read 1: path: "},
		"a role":              {change(`"deploy"`, `"a b"`), "/p:11: " + of + `role: "a b": want the name of a role`},
		"a relative bundle":   {"ca_bundle = \"x\"\n" + good, "/p:10: " + of + "ca_bundle: "},
		"no path":             {change("path = \"database/creds/deploy\"\n", ""), "/p:12: " + of + "read 1: path is missing"},
		"a path of the API":   {change("database/", "v1/database/"), "/p:13: " + of + "read 1: path: want the path without v1/"},
		"a path above":        {change("database/", "database/../"), "/p:13: " + of + "read 1: path: "},
		"a query":             {change("deploy\"\nenv", "deploy?a\"\nenv"), "/p:13: " + of + "read 1: path: "},
		"an escape":           {change("deploy\"\nenv", "a%2fb\"\nenv"), "/p:13: " + of + "read 1: path: "},
		"a slash first":       {change("database/", "/database/"), "/p:13: " + of + "read 1: path: "},
		"gives none":          {change("env = { PGPASSWORD = \"{password}\" }\n", ""), "/p:12: " + of + "read 1: it gives nothing; set env or files"},
		"no field":            {change("{password}", "password"), "/p:12: " + of + "read 1: the template of PGPASSWORD has no field"},
		"no template":         {change("{password}", "{password"), "/p:14: " + of + `read 1: env: "PGPASSWORD": a { has no }`},
		"a shell's name":      {change("PGPASSWORD", "PATH"), "/p:14: " + of + `read 1: env: "PATH": variable PATH has a meaning to shells`},
		"the driver's":        {change("env = { PGPASSWORD", "files = { ROLECALL_X"), "/p:14: " + of + `read 1: files: "ROLECALL_X": the names of variables that begin with ROLECALL_`},
		"plain nothing":       {good + "plain = [\"PGPASSWORD\", \"PGUSER\"]\n", "/p:15: " + of + `read 1: plain: "PGUSER" is neither a variable nor a field of this read`},
		"twice in a read":     {good + "files = { PGPASSWORD = \"{x}\" }\n", "/p:12: " + of + "read 1: the source sets PGPASSWORD twice"},
		"twice in two":        {good + "[[tenant.source.read]]\npath = \"x\"\nenv = { PGPASSWORD = \"{x}\" }\n", "/p:15: " + of + "read 2: the source sets PGPASSWORD twice"},
		"too many":            {good + strings.ReplaceAll(many, "A =", "B ="), "a source reads at most 20 paths"},
		"an unknown key":      {good + "method = \"POST\"\n", `unknown key "method" in [[tenant.source.read]]`},
		"a read of a tenant":  {good + "[[tenant.read]]\npath = \"x\"\n", "read 1: it is a part of a source, and not of a tenant; begin it with [[tenant.source.read]]"},
		"a read of another":   {strings.Replace(good, "address", "#", 1) + "[[tenant.source]]\nname = \"c\"\nprovider = \"static\"\nenv = { B = \"c\" }\n[[tenant.source.read]]\npath = \"x\"\n", "a source of the provider static has no such table"},
		"set by two sources":  {good + "[[tenant.source]]\nname = \"c\"\nprovider = \"static\"\nenv = { PGPASSWORD = \"c\" }\n", `source "c": it sets PGPASSWORD, and so does source "db"`},
		"a wrong kind":        {"token = \"yes\"\n" + good, "token: want true or false"},
		"more than variables": {good + "files = { " + pairs(50) + " }\n", "it sets 51 variables, and can set at most 50"},
	} {
		_, err := compile(test.keys)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := compile(good + "plain = [\"password\"]\n"); err != nil {
		t.Errorf("a plain field: %v", err)
	}
	if _, err := compile(strings.Replace(good, "{password}", "x", 1) + "plain = [\"PGPASSWORD\"]\n"); err != nil {
		t.Errorf("a plain text: %v", err)
	}
}

// TestBounds: what is as long as it may be is taken.
func TestBounds(t *testing.T) {
	t.Parallel()
	role, path := strings.Repeat("r", 256), strings.Repeat("d", 250)+"deploy"
	keys := strings.NewReplacer(`"deploy"`, `"`+role+`"`, "database/creds/deploy", path, "PGPASSWORD", pairs(49)+", PGPASSWORD").Replace(good)
	for i := range 19 {
		keys += fmt.Sprintf("[[tenant.source.read]]\npath = \"x\"\nenv = { X_%d = \"{b}\" }\n", i)
	}
	if s := settings(t, keys); s.Role != role || s.Reads[0].Path != path || len(s.Reads) != 20 || len(s.Reads[0].Env) != 50 {
		t.Errorf("%+v", s)
	}
}

// pairs returns n pairs of variables.
func pairs(n int) string {
	all := make([]string, n)
	for i := range all {
		all[i] = "A" + strings.Repeat("B", i) + " = \"{x}\""
	}
	return strings.Join(all, ", ")
}
