package external_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/static"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

// source begins a policy file up to a source of a helper; its keys begin in line 10.
const source = `[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
[[tenant.source]]
name = "db"
provider = "exec"
`

// compile compiles a policy file whose source has those keys.
func compile(keys string) (*tenant.Policy, error) {
	return policyfile.Compile("/p", []byte(source+keys), grant.AWS{}, static.Provider{}, external.Exec{})
}

// settings returns the settings of a source with those keys.
func settings(t *testing.T, keys string) any {
	t.Helper()
	policy, err := compile(keys)
	kit.Must(t, err)
	return policy.Tenants()[0].Gifts[0].Settings
}

// TestSource: what a policy file says of a helper.
func TestSource(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		keys string
		want external.Settings
		sets string
	}{
		"our own": {
			"command = [\"/x\", \"a b\", \"\"]\nsets = [\"A\", \"B\"]\ntimeout = \"5s\"\n",
			external.Settings{Command: []string{"/x", "a b", ""}, Format: external.Rolecall, Names: []string{"A", "B"}, Timeout: 5 * time.Second},
			"A B",
		},
		"aws": {
			"command = [\"/x\"]\nformat = \"aws\"\n",
			external.Settings{Command: []string{"/x"}, Format: external.AWS, Timeout: 20 * time.Second},
			"AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
		},
		"docker": {
			"command = [\"/x\", \"get\"]\nformat = \"docker\"\ninput = \"https://r.example.com\"\nservers = [\"r.example.com\"]\n",
			external.Settings{Command: []string{"/x", "get"}, Format: external.Docker, Input: "https://r.example.com", Servers: []string{"r.example.com"}, Timeout: 20 * time.Second},
			"DOCKER_CONFIG BUILDX_CONFIG",
		},
		"kubernetes": {
			"command = [\"/x\"]\nformat = \"kubernetes\"\n",
			external.Settings{Command: []string{"/x"}, Format: external.Kubernetes, Timeout: 20 * time.Second},
			"KUBE_TOKEN KUBE_TOKEN_FILE KUBE_CLIENT_CERTIFICATE_FILE KUBE_CLIENT_KEY_FILE",
		},
	} {
		got, ok := settings(t, test.keys).(external.Settings)
		if diff := cmp.Diff(test.want, got); diff != "" || !ok {
			t.Errorf("%s: the settings differ:\n%s", name, diff)
		}
		if names, always := got.Sets(); strings.Join(names, " ") != test.sets || !always {
			t.Errorf("%s: sets %q, %v", name, names, always)
		}
	}
}

// TestSourceRefused: what contradicts itself or could win over something is refused, with its line.
func TestSourceRefused(t *testing.T) {
	t.Parallel()
	const command, sets = "command = [\"/x\"]\n", "sets = [\"A\"]\n"
	const of = `tenant "alpha": source "db": `
	for name, test := range map[string]struct{ keys, want string }{
		"no command":       {sets, "/p:7: " + of + "it needs a command"},
		"an empty command": {sets + "command = []\n", "/p:7: " + of + "it needs a command"},
		"an empty word":    {sets + "command = [\"\"]\n", "/p:11: " + of + "command: want the absolute path of the helper"},
		"a relative path":  {sets + "command = [\"x\"]\n", "/p:11: " + of + `command: "x": want an absolute path`},
		"a path with ..":   {sets + "command = [\"/a/../x\"]\n", "/p:11: " + of + `command: "/a/../x": want an absolute path`},
		"a shell's line":   {sets + "command = \"/x a\"\n", "/p:11: "},
		"a control sign":   {sets + "command = [\"/x\", \"a\\u0000\"]\n", "/p:11: " + of + "command: want words"},
		"many words":       {sets + "command = [\"/x\"" + strings.Repeat(", \"a\"", 64) + "]\n", "/p:11: " + of + "command: it has 65 words"},
		"a format":         {command + "format = \"xml\"\n", "/p:11: " + of + `format: "xml": want "rolecall", "aws", "docker" or "kubernetes"`},
		"no sets":          {command, "/p:7: " + of + "it needs sets"},
		"sets of aws":      {command + "format = \"aws\"\n" + sets, "/p:12: " + of + `sets: it has an effect with format = "rolecall" only`},
		"input of aws":     {command + "format = \"aws\"\ninput = \"x\"\n", "/p:12: " + of + `input: it has an effect with format = "docker" only`},
		"servers of ours":  {command + sets + "servers = [\"x\"]\n", "/p:12: " + of + `servers: it has an effect with format = "docker" only`},
		"a token of aws":   {command + "format = \"aws\"\nid_token = \"T\"\naudience = \"a\"\n", "/p:12: " + of + `id_token: it has an effect with format = "rolecall" only`},
		"no input":         {command + "format = \"docker\"\n", "/p:7: " + of + "it needs input"},
		"an odd input":     {command + "format = \"docker\"\ninput = \"a b\"\n", "/p:12: " + of + `input: "a b": want the URL`},
		"twice":            {command + "sets = [\"A\", \"A\"]\n", "/p:11: " + of + "sets: A is there twice"},
		"PATH":             {command + "sets = [\"PATH\"]\n", "/p:11: " + of + "sets: variable PATH has a meaning to shells or the loader"},
		"the loader's":     {command + "sets = [\"LD_PRELOAD\"]\n", "/p:11: " + of + "sets: variable LD_PRELOAD has a meaning"},
		"GitLab's":         {command + "sets = [\"CI_JOB_TOKEN\"]\n", "/p:11: " + of + "sets: the names of variables that begin with CI_ are taken"},
		"GitLab's too":     {command + "sets = [\"GITLAB_ENV\"]\n", "/p:11: " + of + "sets: the names of variables that begin with GITLAB_ are taken"},
		"the driver's":     {command + "sets = [\"ROLECALL_X\"]\n", "/p:11: " + of + "sets: the names of variables that begin with ROLECALL_ are taken"},
		"no name":          {command + "sets = [\"a-b\"]\n", "/p:11: " + of + "sets: the name of a variable is not made of"},
		"a long name":      {command + "sets = [\"" + strings.Repeat("A", 51) + "\"]\n", "/p:11: " + of + "sets: the name of a variable has at most 50"},
		"too long":         {command + sets + "timeout = \"21s\"\n", "/p:12: " + of + `timeout: "21s": want a duration up to 20s`},
		"no time":          {command + sets + "timeout = \"0s\"\n", "/p:12: " + of + "timeout: "},
		"another source's": {command + sets + "[[tenant.source]]\nname = \"x\"\nprovider = \"static\"\nenv = { A = \"x\" }\n", "/p:12: " + `tenant "alpha": source "x": it sets A, and so does source "db"`},
		"an environment":   {command + sets + "env = { A = \"x\" }\n", "/p:12: unknown key"},
	} {
		_, err := compile(test.keys)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// program writes a program that does nothing.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "helper")
	kit.Must(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
	return path
}

// asker returns a job that something is ordered for.
func asker(settings any) admission.Asker {
	return admission.Asker{
		Tenant: "alpha", Source: "db", Settings: settings,
		Response: job.Response{Key: job.Key{ID: 7}, ProjectPath: "acme/deploy", Pipeline: 9},
		Claims:   idtoken.Claims{Ref: "main", RefProtected: "true", Environment: "prod"},
	}
}

// TestOrder: an order has all that the call of a helper needs.
func TestOrder(t *testing.T) {
	t.Parallel()
	path := program(t)
	o, err := external.Exec{}.Order(asker(settings(t, "command = [\""+path+"\", \"x\"]\nsets = [\"A\"]\n")))
	kit.Must(t, err)
	var got external.Terms
	kit.Must(t, json.Unmarshal(o.Terms, &got))
	want := external.Terms{
		Command: []string{path, "x"}, Format: external.Rolecall, Sets: []string{"A"}, Timeout: 20 * time.Second, Tenant: "alpha", Source: "db",
		Job: external.Job{ID: "7", Project: "acme/deploy", Ref: "main", Protected: true, Environment: "prod", Pipeline: "9"},
	}
	if diff := cmp.Diff(want, got); diff != "" || o.Provider != "exec" || o.For != "" || !cmp.Equal(o.Sets, []string{"A"}) {
		t.Errorf("%+v; the terms differ:\n%s", o, diff)
	}
	o, err = external.Exec{}.Order(asker(settings(t, "command = [\""+path+"\"]\nformat = \"aws\"\n")))
	if err != nil || o.For != "aws" {
		t.Errorf("aws: %+v, %v", o, err)
	}
}

// TestOrderRefused: a helper that anybody else can change is the admin's error before a job has
// anything, and a program of this host is not for jobs of other hosts.
func TestOrderRefused(t *testing.T) {
	t.Parallel()
	path := program(t)
	keys := "command = [\"" + path + "\"]\nsets = [\"A\"]\n"
	refuse := func(name, want string, code fault.Code, a admission.Asker) {
		t.Helper()
		if _, err := (external.Exec{}).Order(a); err == nil || !strings.Contains(err.Error(), want) || fault.CodeOf(err) != code {
			t.Errorf("%s: %v (%s), want %q", name, err, fault.CodeOf(err), want)
		}
	}
	a := asker(settings(t, keys))
	a.Served = true
	refuse("by HTTP", "is a program of a runner's host", fault.Refused, a)
	if _, err := (external.Remote{}).Issue(t.Context(), creds.Order{}, idtoken.Token{}); err == nil {
		t.Error("a broker starts helpers")
	}
	a.Served = false
	kit.Must(t, os.Chmod(path, 0o644))
	refuse("no program", "helper is not executable; chmod a+x "+path, fault.BadSource, a)
	kit.Must(t, os.Chmod(path, 0o777))
	refuse("open to all", `source "db": the helper cannot be used: `+path+" has mode 0777", fault.BadSource, a)
	kit.Must(t, os.Chmod(path, 0o755))
	kit.Must(t, os.Chmod(filepath.Dir(path), 0o777))
	refuse("in an open folder", filepath.Dir(path)+" has mode 0777", fault.BadSource, a)
	kit.Must(t, os.Chmod(filepath.Dir(path), 0o755))
	if os.Geteuid() == 0 {
		kit.Must(t, os.Chown(path, 4711, 0))
		refuse("another user's", "belongs to user 4711", fault.BadSource, a)
	}
	kit.Must(t, os.Remove(path))
	refuse("missing", path+": no such file", fault.BadSource, a)
	kit.Must(t, os.Mkdir(path, 0o755))
	refuse("a folder", "is not a regular file", fault.BadSource, a)
	if what, err := a.Settings.(external.Settings).CheckHost(); what != path || fault.CodeOf(err) != fault.BadSource {
		t.Errorf("CheckHost = %q, %v", what, err)
	}
	if _, err := (external.Exec{}).Order(admission.Asker{}); err == nil || errors.As(err, new(*fault.Error)) {
		t.Errorf("without settings: %v", err)
	}
}

// TestReport: the log shows the helper, what it has given, and what it has said.
func TestReport(t *testing.T) {
	t.Parallel()
	got := external.Exec{}.Report(creds.Facts{{Name: external.HelperFact, Value: "/x"}, {Name: external.VariablesFact, Value: "A B"}, {Name: external.SaidFact, Value: "one\ntwo"}})
	want := creds.Report{Rows: []creds.Row{{Label: "helper", Value: "/x"}, {Label: "sets", Value: "A B"}}, Notes: []string{"The helper says: one", "The helper says: two"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("differs:\n%s", diff)
	}
}
