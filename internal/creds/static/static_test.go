package static_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/static"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// base is a policy file whose tenant has no source.
const base = `[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
`

// source begins a source.
const source = "[[tenant.source]]\nname = \"config\"\nprovider = \"static\"\n"

// compile compiles a policy file with more at its end.
func compile(more string) (*tenant.Policy, error) {
	return policyfile.Compile("/p", []byte(base+more), grant.AWS{}, static.Provider{})
}

// order returns the order for a job with those claims, of a source with those keys.
func order(t *testing.T, keys string, c idtoken.Claims, files map[string]string) (admission.Asker, func() (names, plain, secrets string, err error)) {
	t.Helper()
	policy, err := compile(source + keys)
	if err != nil {
		t.Fatal(err)
	}
	a := admission.Asker{Source: "config", Settings: policy.Tenants()[0].Gifts[0].Settings, Claims: c, ReadFile: func(_, path string) ([]byte, error) {
		content, ok := files[path]
		if !ok {
			return nil, fault.New(fault.BadPolicy, errors.New("no file "+path), "")
		}
		return []byte(content), nil
	}}
	return a, func() (names, plain, secrets string, err error) {
		o, err := static.Provider{}.Order(a)
		if err != nil || o.Provider == "" {
			return "", "", "", err
		}
		o.Name = "config"
		got, err := static.Provider{}.Issue(t.Context(), o, idtoken.Token{})
		if err != nil || got.Name != "config" || got.Provider != "static" {
			t.Errorf("%v, %v", got, err)
		}
		for _, v := range got.Env {
			plain += v.Name + "=" + v.Value.Reveal() + ";"
		}
		for _, s := range got.Secrets {
			secrets += s.Kind + "=" + s.Value.Reveal() + ";"
		}
		if report := (static.Provider{}).Report(got.Facts); report.Rows[0].Value != strings.Join(o.Sets, " ") {
			t.Errorf("the report is %+v", report)
		}
		return strings.Join(o.Sets, " "), plain, secrets, nil
	}
}

// TestValues: a job gets the values of a source whose rules take it, and of a file without the
// newline at its end; only those of files are secrets.
func TestValues(t *testing.T) {
	t.Parallel()
	const both = "env = { APP_URL = \"https://a?b=c d\" }\nsecret_files = { API_KEY = \"/etc/key\" }\n"
	files := map[string]string{"/etc/key": "hunter2hunter2\n"}
	prod := idtoken.Claims{Ref: "release/1", RefProtected: "true", Environment: "prod/eu"}
	for name, test := range map[string]struct {
		rules  string
		claims idtoken.Claims
		gives  bool
	}{
		"no rules":            {"", idtoken.Claims{}, true},
		"all rules":           {"refs = [\"main\", \"release/*\"]\nenvironments = [\"prod/*\"]\nprotected = true\n", prod, true},
		"another ref":         {"refs = [\"main\"]\n", prod, false},
		"another environment": {"environments = [\"dev\"]\n", prod, false},
		"no environment":      {"environments = [\"dev\"]\n", idtoken.Claims{}, false},
		"not protected":       {"protected = true\n", idtoken.Claims{RefProtected: "false"}, false},
	} {
		_, give := order(t, both+test.rules, test.claims, files)
		names, plain, secrets, err := give()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !test.gives {
			if names+plain+secrets != "" {
				t.Errorf("%s: %s %s", name, plain, secrets)
			}
			continue
		}
		if names != "APP_URL API_KEY" || plain != "APP_URL=https://a?b=c d;API_KEY=hunter2hunter2;" || secrets != "value of API_KEY=hunter2hunter2;" {
			t.Errorf("%s: %q %q %q", name, names, plain, secrets)
		}
	}
}

// TestBadFiles: a file that gives no secret is the admin's error, and the value is not in it.
func TestBadFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ content, want string }{
		"short":         {"hunter2", `source "config": /etc/key: the value of API_KEY has 7 bytes; a secret of less than 8 cannot be masked`},
		"empty":         {"\n", `source "config": /etc/key: the value of API_KEY has 0 bytes`},
		"two lines":     {"hunter2hunter2\nhunter3", `source "config": /etc/key: the value of API_KEY has a line break`},
		"a NUL":         {"hunter2hunter2\x00", `source "config": /etc/key: the value of API_KEY has a control character`},
		"not UTF-8":     {"hunter2hunter2\xff", `source "config": /etc/key: the value of API_KEY has bytes that are not UTF-8`},
		"short and odd": {"a\nb", `source "config": /etc/key: the value of API_KEY has a line break`},
		"not to read":   {"", "no file /etc/key"},
	} {
		files := map[string]string{"/etc/key": test.content}
		if test.content == "" {
			files = nil
		}
		_, give := order(t, "secret_files = { API_KEY = \"/etc/key\" }\n", idtoken.Claims{}, files)
		_, _, _, err := give()
		if err == nil || fault.SideOf(err) != fault.Admin || !strings.HasPrefix(err.Error(), test.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// TestLongName: the secret of a variable with the longest name is one.
func TestLongName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("A", 64)
	a, _ := order(t, "secret_files = { "+long+" = \"/etc/key\" }\n", idtoken.Claims{}, map[string]string{"/etc/key": "hunter2hunter2"})
	o, err := static.Provider{}.Order(a)
	if err != nil {
		t.Fatal(err)
	}
	c, err := static.Provider{}.Issue(t.Context(), o, idtoken.Token{})
	if err != nil || (creds.Set{c}).Check() != nil || c.Secrets[0].Kind != "value of "+long[:55] {
		t.Errorf("%v, %v", c.Secrets, err)
	}
}

// TestForeignOrders: an order and settings of others give nothing.
func TestForeignOrders(t *testing.T) {
	t.Parallel()
	if o, err := (static.Provider{}).Order(admission.Asker{Settings: 1}); err == nil || o.Provider != "" {
		t.Errorf("%+v, %v", o, err)
	}
	a, _ := order(t, "env = { A = \"b\" }\n", idtoken.Claims{}, nil)
	o, err := static.Provider{}.Order(a)
	if err != nil {
		t.Fatal(err)
	}
	o.Terms = []byte("{")
	if c, err := (static.Provider{}).Issue(t.Context(), o, idtoken.Token{}); err == nil || c.Env != nil {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestRefused: what is wrong in a source is told with its line.
func TestRefused(t *testing.T) {
	t.Parallel()
	const of = `tenant "alpha": source "config": `
	for name, test := range map[string]struct{ keys, want string }{
		"nothing":              {"", "/p:7: " + of + "it gives nothing; set env or secret_files"},
		"a shell's name":       {"env = { PATH = \"x\" }\n", "/p:10: " + of + "env: variable PATH has a meaning to shells"},
		"no name":              {"env = { \"a b\" = \"x\" }\n", "/p:10: " + of + "env: the name of a variable is not made of"},
		"the driver's":         {"env = { ROLECALL_ENV_FILE = \"x\" }\n", "/p:10: " + of + "env: the names of variables that begin with ROLECALL_ are taken"},
		"GitLab's":             {"secret_files = { CI_JOB_TOKEN = \"/x\" }\n", "/p:10: " + of + "secret_files: the names of variables that begin with CI_ are taken"},
		"GitLab's too":         {"env = { GITLAB_ENV = \"x\" }\n", "/p:10: " + of + "env: the names of variables that begin with GITLAB_ are taken"},
		"a line break":         {"env = { A = \"x\\ny\" }\n", "/p:10: " + of + "env: the value of A has a line break"},
		"an empty value":       {"env = { A = \"\" }\n", "/p:10: " + of + "env: the value of A has 0 bytes"},
		"a relative path":      {"secret_files = { A = \"x\" }\n", "/p:10: " + of + "secret_files: \"x\": want an absolute path"},
		"no path":              {"secret_files = { A = \"\" }\n", "/p:10: " + of + "secret_files: A: want the path of a file"},
		"in both":              {"env = { A = \"x\" }\nsecret_files = { A = \"/x\" }\n", "/p:11: " + of + "secret_files: A is in env too"},
		"a ref":                {"env = { A = \"x\" }\nrefs = [\"\"]\n", "/p:11: " + of + "refs: "},
		"an environment":       {"env = { A = \"x\" }\nenvironments = [\"\"]\n", "/p:11: " + of + "environments: "},
		"a role":               {"role_arn = \"x\"\n", "/p:10: unknown key \"role_arn\" in [[tenant.source]]"},
		"of two sources":       {"env = { A = \"x\" }\n" + strings.Replace(source, "config", "two", 1) + "env = { A = \"y\" }\n", `/p:11: tenant "alpha": source "two": it sets A, and so does source "config"`},
		"a list of the tenant": {"env = { A = \"x\" }\n[[tenant.source.chain]]\nrole_arn = \"x\"\n", "/p:11: " + of + "chain 1: a source of the provider static has no such table"},
	} {
		_, err := compile(source + test.keys)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	rules := fmt.Sprintf("env = { A = \"x\" }\nenvironments = [\"prod\"]\n%senv = { A = \"y\" }\nenvironments = [\"dev\"]\n", strings.Replace(source, "config", "two", 1))
	if _, err := compile(source + rules); err != nil {
		t.Errorf("values of two environments: %v", err)
	}
	rules = fmt.Sprintf("env = { A = \"x\" }\n%senv = { A = \"y\" }\nprotected = true\n", strings.Replace(source, "config", "two", 1))
	if _, err := compile(source + rules); err != nil {
		t.Errorf("another value for protected refs: %v", err)
	}
}
