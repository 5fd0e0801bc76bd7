package policyfile_test

import (
	"os"
	"strings"
	"testing"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// users returns a policy file whose top is top, with tenants that have those
// lines.
func users(top string, tenants ...string) []byte {
	if !strings.Contains(top, "_dir") {
		top += "\nbuilds_dir = \"/b\"\ncache_dir = \"/c\""
	}
	text := top + "\n[gitlab]\nissuer = \"https://gitlab.example.com\"\n[defaults]\nrole_arn = \"arn:aws:iam::111122223333:role/a\"\n" +
		"audience = \"https://gitlab.example.com\"\nprojects = [\"acme/deploy\"]\n"
	for i, line := range tenants {
		text += "[[tenant]]\nname = \"t" + string(rune('0'+i)) + "\"\n" + line + "\n"
	}
	return []byte(text)
}

func TestUsersRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		top     string
		tenants []string
		want    string
	}{
		"none of two":           {"", []string{"", ""}, `10: tenant "t0": run_as: it is missing, and there are other tenants`},
		"one of two":            {"", []string{`run_as = "ci-a"`, ""}, `13: tenant "t1": run_as: it is missing`},
		"the same":              {"", []string{`run_as = "ci-a"`, `run_as = "ci-a"`}, `15: tenant "t1": run_as: it is also the user of tenant "t0"`},
		"that of no tenant":     {`run_as = "ci-a"`, []string{`run_as = "ci-a"`}, `12: tenant "t0": run_as: it is also the user of the jobs without a tenant`},
		"contact of two lines":  {"shared_user = \"unsafe\"\ncontact = \"a\\nb\"", []string{""}, `2: contact: want at most 80 bytes`},
		"a long contact":        {"shared_user = \"unsafe\"\ncontact = \"" + strings.Repeat("x", 81) + "\"", []string{""}, `2: contact: want at most 80 bytes`},
		"not passwd":            {"shared_user = \"unsafe\"\nhome = \"/home\"", []string{""}, `2: home: "/home": want "passwd", or no such key`},
		"skeleton, not used":    {"shared_user = \"unsafe\"\nhome = \"passwd\"\nhome_skeleton = \"/x\"", []string{""}, `3: home_skeleton: with home = "passwd" it has no effect`},
		"not allow":             {"shared_user = \"unsafe\"\nmetadata = \"yes\"", []string{""}, `2: metadata: "yes": want "allow"`},
		"a third word":          {"shared_user = \"unsafe\"\nunknown_tenant = \"allow\"", []string{""}, `2: unknown_tenant: "allow": want "refuse" or "none"`},
		"a word too few":        {"shared_user = \"unsafe\"\nunused_services = \"\"", []string{""}, `2: unused_services: "": want "warn" or "refuse"`},
		"another word":          {`shared_user = "safe"`, []string{""}, `1: shared_user: "safe": want "unsafe"`},
		"a limit below 0":       {"", []string{`max_open_files = -1`}, `12: tenant "t0": max_open_files: want a number`},
		"a limit as a text":     {"", []string{`max_memory = "1G"`}, `max_memory`},
		"no folders":            {`cache_dir = "/c"`, []string{`run_as = "ci-a"`}, `10: tenant "t0": run_as: this user needs folders to work in`},
		"no folders, no tenant": {"cache_dir = \"/c\"\nrun_as = \"ci-none\"", []string{""}, `2: run_as: this user needs folders to work in`},
		"root":                  {"", []string{`run_as = "root"`}, `12: tenant "t0": run_as: "root": want the name of a unix user`},
		"a number":              {"", []string{`run_as = "0"`}, `run_as: "0": want the name of a unix user`},
		"a template":            {"", []string{`run_as = "ci-$TENANT"`}, `want the name of a unix user`},
		"33 letters":            {"", []string{`run_as = "` + strings.Repeat("a", 33) + `"`}, `want the name of a unix user`},
		"upper case":            {"", []string{`run_as = "Ci"`}, `want the name of a unix user`},
		"not of a tenant only":  {`run_as = "-x"`, []string{""}, `1: run_as: "-x": want the name of a unix user`},
	} {
		_, err := policyfile.Compile("p", users(test.top, test.tenants...), grant.AWS{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		top        string
		tenants    []string
		with, none string // the user of a job of t0, and of one of no tenant
		refused    bool   // jobs of no tenant are
	}{
		"one tenant, the runner's user": {"", []string{""}, "", "", false},
		"one tenant":                    {"", []string{`run_as = "ci-a"`}, "ci-a", "", true},
		"two tenants":                   {`run_as = "ci-none"`, []string{`run_as = "ci-a"`, `run_as = "ci_b"`}, "ci-a", "ci-none", false},
		"unsafe":                        {`shared_user = "unsafe"`, []string{"", ""}, "", "", false},
		"unsafe, of one name":           {`shared_user = "unsafe"`, []string{`run_as = "ci-a"`, `run_as = "ci-a"`}, "ci-a", "", true},
	} {
		policy, err := policyfile.Compile("p", users(test.top, test.tenants...), grant.AWS{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		claims := tenant.Claims{Audience: []string{"https://gitlab.example.com"}, Project: "acme/deploy", RefType: "branch", Ref: "main"}
		grant, err := policy.Decide(tenant.Subject{Requested: "t0", Tokens: map[string]tenant.Claims{tenant.IDToken: claims}})
		if err != nil || grant.RunAs != test.with {
			t.Errorf("%s: the job runs as %q, %v, want %q", name, grant.RunAs, err, test.with)
		}
		grant, err = policy.Decide(tenant.Subject{})
		if grant.RunAs != test.none || (err != nil) != test.refused || err != nil && fault.SideOf(err) != fault.Admin {
			t.Errorf("%s: a job of no tenant runs as %q, %v, want %q", name, grant.RunAs, err, test.none)
		}
	}
}

// TestLimits: of the processes of a tenant's jobs, and of jobs without a tenant. A unix
// user has a limit of processes unless the file says 0.
func TestLimits(t *testing.T) {
	t.Parallel()
	const user, top = "run_as = \"ci-alpha\"\n", "run_as = \"ci-none\"\nbuilds_dir = \"/b\"\ncache_dir = \"/c\"\n"
	for name, test := range map[string]struct {
		top, defaults, tenant string
		want, none            tenant.Limits
	}{
		"no unix user":    {"", "", "", tenant.Limits{}, tenant.Limits{}},
		"unix users":      {top, "", user, tenant.Limits{Processes: 2000}, tenant.Limits{Processes: 2000}},
		"of the tenant":   {top, "", user + "max_processes = 70\nmax_memory = 4294967296", tenant.Limits{Processes: 70, Memory: 4 << 30}, tenant.Limits{Processes: 2000}},
		"none for it":     {top, "", user + "max_processes = 0\nmax_open_files = 1024", tenant.Limits{OpenFiles: 1024}, tenant.Limits{Processes: 2000}},
		"of all":          {top, "max_processes = 90\nmax_open_files = 9", user, tenant.Limits{Processes: 90, OpenFiles: 9}, tenant.Limits{Processes: 90, OpenFiles: 9}},
		"none at all":     {top, "max_processes = 0", user, tenant.Limits{}, tenant.Limits{}},
		"all but this":    {top, "max_processes = 90", user + "max_processes = 0", tenant.Limits{}, tenant.Limits{Processes: 90}},
		"of no unix user": {"", "", "max_processes = 70", tenant.Limits{Processes: 70}, tenant.Limits{}},
		"only of others":  {top + "shared_user = \"unsafe\"", "", "", tenant.Limits{}, tenant.Limits{Processes: 2000}},
	} {
		text := strings.Replace(string(users(test.top, test.tenant)), "[defaults]", "[defaults]\n"+test.defaults, 1)
		policy, err := policyfile.Compile("p", []byte(text), grant.AWS{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		claims := tenant.Claims{Audience: []string{"https://gitlab.example.com"}, Project: "acme/deploy", RefType: "branch", Ref: "main"}
		grant, err := policy.Decide(tenant.Subject{Tokens: map[string]tenant.Claims{tenant.IDToken: claims}})
		if err != nil || grant.Limits != test.want {
			t.Errorf("%s: %+v, %v, want %+v", name, grant.Limits, err, test.want)
		}
		grant, err = policy.Decide(tenant.Subject{})
		if err != nil || grant.Limits != test.none {
			t.Errorf("%s, no tenant: %+v, %v, want %+v", name, grant.Limits, err, test.none)
		}
	}
}

// TestExample: the policy file that the project ships compiles.
func TestExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../rolecall.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	policy, err := policyfile.Compile("rolecall.toml.example", text, grant.AWS{})
	if err != nil {
		t.Fatal(err)
	}
	if tenants := policy.Tenants(); len(tenants) != 2 || tenants[0].RunAs != "ci-alpha" || !tenants[0].Required {
		t.Errorf("%+v", tenants)
	}
}
