package policyfile_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws/grant"
	ofvault "rolecall/internal/creds/vault"
	"rolecall/internal/handover"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Parts of policy files.
const (
	local  = "[handover]\nstore = \"local\"\n"
	bucket = "[handover]\nstore = \"s3\"\nseal_key_files = [\"/etc/new.key\", \"/etc/old.key\"]\nbucket = \"acme-ci\"\n"
	kv     = "[handover]\nstore = \"vault\"\npath = \"kv/data/rolecall\"\n"
	second = "[[tenant]]\nname = \"beta\"\nrole_arn = \"arn:aws:iam::111122223333:role/b\"\naudience = \"aud\"\nprojects = [\"acme/y\"]\n"
	login  = "[[tenant.source]]\nname = \"kv\"\nprovider = \"vault\"\naddress = \"https://v.example.com\"\nrole = \"r\"\n" + reads
	reads  = "[[tenant.source.read]]\npath = \"secret/data/app\"\nenv = { APP = \"{app}\" }\n"
	other  = "[[tenant.source]]\nname = \"two\"\nprovider = \"vault\"\naddress = \"https://v.example.com\"\nrole = \"r\"\ntoken = true\n"
)

// handovers compiles a policy with Vault, and returns how each tenant hands over values.
func handovers(t *testing.T, text string) []handover.Settings {
	t.Helper()
	policy, err := policyfile.Compile("/etc/p.toml", []byte(text), grant.AWS{}, ofvault.Provider{})
	if err != nil {
		t.Fatalf("%v\nof:\n%s", err, text)
	}
	var all []handover.Settings
	for _, one := range policy.Tenants() {
		all = append(all, one.Handover)
	}
	return all
}

// TestHandover: what a policy file says of values that jobs hand over, for all tenants and
// for one.
func TestHandover(t *testing.T) {
	t.Parallel()
	unsafe := "shared_user = \"unsafe\"\n" + minimal
	keys := []string{"/etc/new.key", "/etc/old.key"}
	s3 := handover.Settings{Store: "s3", MaxAge: 24 * time.Hour, SealKeyFiles: keys, Bucket: "acme-ci", Prefix: "rolecall"}
	own := handover.Settings{Store: "s3", MaxAge: time.Hour, SealKeyFiles: keys, Bucket: "beta.ci", Prefix: "ci/rc", Region: "eu-west-1", Endpoint: "https://s3.example.com", CABundle: "/etc/ca.pem"}
	vault := handover.Settings{Store: "vault", MaxAge: 24 * time.Hour, Path: "kv/data/rolecall"}
	with := func(s handover.Settings, change func(*handover.Settings)) handover.Settings { change(&s); return s }
	for name, test := range map[string]struct {
		text string
		want []handover.Settings
	}{
		"nothing":       {unsafe, []handover.Settings{{}}},
		"local":         {unsafe + local + "max_age = \"90m\"\n", []handover.Settings{{Store: "local", MaxAge: 90 * time.Minute}}},
		"dotted":        {"handover.store = \"local\"\n" + unsafe, []handover.Settings{{Store: "local", MaxAge: 24 * time.Hour}}},
		"the last week": {unsafe + local + "max_age = \"168h\"\n", []handover.Settings{{Store: "local", MaxAge: 168 * time.Hour}}},
		"a bucket": {unsafe + second + "[tenant.handover]\nbucket = \"beta.ci\"\nprefix = \"ci/rc\"\nregion = \"eu-west-1\"\nendpoint = \"https://s3.example.com\"\n" +
			bucket + "max_age = \"1h\"\nca_bundle = \"/etc/ca.pem\"\n", []handover.Settings{
			with(s3, func(s *handover.Settings) { s.MaxAge, s.CABundle = time.Hour, "/etc/ca.pem" }), own,
		}},
		"of the second source": {unsafe + audit + bucket + "source = \"audit\"\n", []handover.Settings{with(s3, func(s *handover.Settings) { s.Source = "audit" })}},
		"of the only source": {unsafe + login + second + "[tenant.handover]\nsource = \"two\"\npath = \"kv/data/x\"\n" + login + other + kv, []handover.Settings{
			with(vault, func(s *handover.Settings) { s.Source = "kv" }), with(vault, func(s *handover.Settings) { s.Source, s.Path = "two", "kv/data/x" }),
		}},
		"sealed in Vault": {unsafe + login + kv + "seal_key_files = [\"/etc/new.key\", \"/etc/old.key\"]\n", []handover.Settings{
			with(vault, func(s *handover.Settings) { s.Source, s.SealKeyFiles = "kv", keys }),
		}},
		"out of reach": {unsafe + kv, []handover.Settings{with(vault, func(s *handover.Settings) {
			s.Off = "it has no credentials of the provider vault, which reach the store"
		})}},
		"not named": {unsafe + login + other + kv, []handover.Settings{with(vault, func(s *handover.Settings) {
			s.Off = "it has 2 sources of the provider vault, and source does not say which one reaches the store"
		})}},
	} {
		got := handovers(t, test.text)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		if on := test.want[0].Store != "" && test.want[0].Off == ""; got[0].On() != on {
			t.Errorf("%s: it is on: %v", name, !on)
		}
	}
}

// TestHandoverGranted: a job has what its tenant has, and may change its copy.
func TestHandoverGranted(t *testing.T) {
	t.Parallel()
	policy := compile(t, minimal+bucket)
	subject := tenant.Subject{Requested: "alpha", Named: true, Project: "acme/x", Tokens: map[string]tenant.Claims{
		tenant.IDToken: {Audience: []string{"aud"}, Project: "acme/x", RefType: "branch", Ref: "main"},
	}}
	g, err := policy.Decide(subject)
	if err != nil || g.Handover.Bucket != "acme-ci" || !g.Handover.On() {
		t.Fatalf("%+v, %v", g.Handover, err)
	}
	g.Handover.SealKeyFiles[0] = "/x"
	policy.Tenants()[0].Handover.SealKeyFiles[0] = "/y"
	if again, _ := policy.Decide(subject); again.Handover.SealKeyFiles[0] != "/etc/new.key" {
		t.Errorf("the policy was changed: %q", again.Handover.SealKeyFiles)
	}
	if g, err := policy.Decide(tenant.Subject{}); err != nil || g.Handover.On() {
		t.Errorf("a job without a tenant: %+v, %v", g.Handover, err)
	}
}

// TestExampleHandover: what the example shows of each store in comments compiles.
func TestExampleHandover(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../rolecall.toml.example")
	if err != nil {
		t.Fatal(err)
	}
	for store, keys := range map[string]string{
		"local": "", "s3": "seal_key_files|bucket|prefix|region|endpoint|ca_bundle", "vault": "seal_key_files|path|source",
	} {
		own := ""
		if store == "s3" {
			own = `|\[tenant\.handover\]`
		}
		shown := regexp.MustCompile(`(?m)^# (\[handover\]`+own+`|(store|max_age|`+keys+`) = )`).ReplaceAllString(string(text), "$1")
		shown = strings.NewReplacer(`store = "local"`, `store = "`+store+`"`, "#   [[tenant.source]]\n#   name = \"vault\"", strings.Replace(login, `"kv"`, `"vault"`, 1)).Replace(shown)
		got := handovers(t, shown)
		if len(got) != 2 || got[0].Store != store || store == "s3" && (got[0].Bucket != "alpha-ci-handover" || got[1].Bucket != "acme-ci-handover") {
			t.Errorf("%s: %+v", store, got)
		}
	}
}

// TestHandoverRefused: what is unknown or has no effect is an error with its line.
func TestHandoverRefused(t *testing.T) {
	t.Parallel()
	const of = `tenant "alpha": handover: `
	six := strings.Replace(bucket, `"/etc/old.key"`, strings.Repeat(`"/etc/old.key", `, 5), 1)
	for text, want := range map[string]string{
		minimal + "[handover]\n":                                                        `8: [handover] store is missing; set it to "local", "s3" or "vault"`,
		minimal + "[handover]\nstore = \"redis\"\n":                                     `9: [handover] store: "redis": want one of local, s3, vault`,
		minimal + "[handover]\nstore = \"\"\n":                                          `9: [handover] store: "": want one of`,
		minimal + local + "stor = \"x\"\n":                                              `10: unknown key "stor" in [handover]; did you mean "store"?`,
		minimal + local + "bucket = \"acme-ci\"\n":                                      `10: [handover] bucket: with the store "local" it has no effect; remove it`,
		minimal + local + "seal_key_files = [\"/k\"]\n":                                 `10: [handover] seal_key_files: with the store "local" it has no effect`,
		minimal + local + "source = \"\"\n":                                             `10: [handover] source: with the store "local" it has no effect`,
		minimal + local + "max_age = \"0s\"\n":                                          `10: [handover] max_age: "0s": want a duration above 0`,
		minimal + local + "max_age = \"169h\"\n":                                        `10: [handover] max_age: "169h": want at most 168h0m0s`,
		minimal + local + "max_age = 5\n":                                               `10: max_age: want a text`,
		minimal + bucket + "path = \"secret/data/x\"\n":                                 `12: [handover] path: with the store "s3" it has no effect`,
		minimal + "[handover]\nstore = \"s3\"\nbucket = \"abc\"\n":                      `8: [handover] seal_key_files is missing: nothing is put into a bucket in the clear`,
		minimal + strings.Replace(bucket, `"/etc/new.key"`, `""`, 1):                    `10: [handover] seal_key_files: want the absolute path`,
		minimal + strings.Replace(bucket, `/etc/new`, `etc/new`, 1):                     `10: [handover] seal_key_files: "etc/new.key": want an absolute path`,
		minimal + "[handover]\nstore = \"s3\"\nseal_key_files = []\nbucket = \"abc\"\n": `10: [handover] seal_key_files: the list is empty`,
		minimal + six: `10: [handover] seal_key_files: there are 6, and at most 5 are tried`,
		minimal + strings.Replace(bucket, "acme-ci", "Acme", 1):                                `11: [handover] bucket: "Acme": want the name of a bucket`,
		minimal + strings.Replace(bucket, "acme-ci", "a", 1):                                   `11: [handover] bucket: "a": want the name of a bucket`,
		minimal + strings.Replace(bucket, "acme-ci", "a..b", 1):                                `11: [handover] bucket: "a..b": want the name`,
		minimal + strings.Replace(bucket, "acme-ci", "a/b", 1):                                 `11: [handover] bucket: "a/b": want the name`,
		minimal + strings.Replace(bucket, "acme-ci", ".abc", 1):                                `11: [handover] bucket: ".abc": want the name`,
		minimal + bucket + "region = \"eu_1\"\n":                                               `12: [handover] region: "eu_1": want a region`,
		minimal + bucket + "prefix = \"/x\"\n":                                                 `12: [handover] prefix: "/x": want the beginning of keys`,
		minimal + bucket + "prefix = \"\"\n":                                                   `12: [handover] prefix: "": want the beginning`,
		minimal + bucket + "prefix = \"a/../b\"\n":                                             `12: [handover] prefix: "a/../b": want the beginning`,
		minimal + bucket + "region = \"EU\"\n":                                                 `12: [handover] region: "EU": want a region`,
		minimal + bucket + "endpoint = \"http://s3.example.com\"\n":                            `12: [handover] endpoint: want an https:// URL`,
		minimal + bucket + "ca_bundle = \"x\"\n":                                               `12: [handover] ca_bundle: "x": want an absolute path`,
		minimal + bucket + "source = \"A\"\n":                                                  `12: [handover] source: want 1 to 32 of a-z`,
		minimal + strings.Replace(bucket, "bucket = \"acme-ci\"\n", "", 1):                     `3: tenant "alpha": the store s3 needs a bucket`,
		minimal + strings.Replace(kv, "kv/data/rolecall", "kv/rolecall", 1):                    `10: [handover] path: "kv/rolecall": want a path of a KV version 2`,
		minimal + kv + "max_age = \"1h\"\nbucket = \"abc\"\n":                                  `12: [handover] bucket: with the store "vault" it has no effect`,
		minimal + "[tenant.handover]\n":                                                        `8: ` + of + `without [handover] it has no effect; add that table`,
		minimal + "[tenant.handover]\nstore = \"local\"\n" + local:                             `9: unknown key "store" in [tenant.handover]`,
		minimal + "[tenant.handover]\nbucket = \"abc\"\n" + local:                              `9: ` + of + `bucket: with the store "local" it has no effect`,
		minimal + "[tenant.handover]\nbucket = 1\n" + bucket:                                   `9: ` + of + `bucket: want a text in quotes`,
		minimal + "[tenant.handover]\nsource = \"none\"\n" + bucket:                            `8: ` + of + `it has no source "none" of the provider aws, which reaches the store`,
		minimal + "[tenant.handover]\n" + kv:                                                   `8: ` + of + `it has no credentials of the provider vault`,
		minimal + "[[tenant.handover]]\n" + local:                                              `8: write [tenant.handover] with one bracket: a tenant has only one such table`,
		minimal + "handover = { bucket = \"abc\" }\n" + local:                                  `8: handover is a table: begin it with a line of its own, [tenant.handover]`,
		minimal + "[tenant.handover]\n[tenant.handover]\n" + local:                             `9: `,
		"[tenant.handover]\n" + minimal:                                                        `1: [tenant.handover] comes after the [[tenant]] that it is a part of`,
		"[[handover]]\n" + minimal:                                                             `1: write [handover] with one bracket`,
		"handover = {}\n" + minimal:                                                            `1: handover is a table`,
		minimal + "[tenant.handover.x]\n" + local:                                              `8: unknown table "tenant.handover.x"`,
		minimal + "[defaults.handover]\n" + local:                                              `8: unknown table "defaults.handover"`,
		"shared_user = \"unsafe\"\n" + minimal + second + "[tenant.handover]\nx = 1\n" + local: `15: unknown key "x" in [tenant.handover]`,
	} {
		got := refused(t, text)
		if !strings.HasPrefix(got[0], "/etc/p.toml:"+want) {
			t.Errorf("%s:\n got %q\nwant %q", text, got, want)
		}
	}
}
