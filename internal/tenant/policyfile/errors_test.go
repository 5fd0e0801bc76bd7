package policyfile_test

import (
	"strings"
	"testing"
)

func TestCompileRefusesFiles(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"empty":                  {"", "1: the file has no tenant; add one with [[tenant]]"},
		"comments only":          {"# nothing\n\n", "1: the file has no tenant"},
		"settings only":          {minimal[:strings.Index(minimal, "[[")], "1: the file has no tenant"},
		"NUL":                    {minimal + "#\x00", "8: a NUL byte"},
		"byte order mark":        {"\ufeff" + minimal, "1: a byte order mark"},
		"later byte order mark":  {minimal + "\n# \ufeff", "9: a byte order mark"},
		"not UTF-8":              {minimal + "# caf\xe9", "8: a byte that is not UTF-8"},
		"UTF-16":                 {"\xff\xfe[\x00", "1: a byte that is not UTF-8"},
		"no TOML":                {"name: alpha\n", "1: expected '=' after key"},
		"YAML list":              {minimal + "refs:\n- main", "8: expected '=' after key"},
		"quote not closed":       {minimal + "refs = [\"main]\n", "8: "},
		"control character":      {minimal + "# \x1b[2J", "8: "},
		"carriage return":        {minimal + "# a\rb\n", "8: "},
		"key twice":              {minimal + "name = \"b\"\n", "8: key name is already defined"},
		"table twice":            {minimal + "[gitlab]\nca_bundle = \"/a\"\n", "8: table gitlab already exists"},
		"dotted key and table":   {"gitlab.issuer = \"https://a.example\"\n" + minimal, "2: "},
		"unknown key":            {minimal + "reffs = [\"main\"]\n", `8: unknown key "reffs" in [tenant]; did you mean "refs"?`},
		"a key of the top":       {minimal + "audit_log = \"/a\"\n", `8: unknown key "audit_log" in [tenant]; it belongs to the top of the file, before the first table`},
		"a name with a slip":     {strings.Replace(minimal, "projects", "project", 1), `7: unknown key "project" in [tenant]; did you mean "projects"?`},
		"unknown key on top":     {"tenants = []\n" + minimal, `1: unknown key "tenants" in the top`},
		"unknown key of gitlab":  {"[gitlab]\nurl = 1\n" + minimal, `2: unknown key "url" in [gitlab]`},
		"unknown key of sts":     {minimal + "[sts]\n\nregion = \"a\"\n", `10: unknown key "region" in [sts]; it belongs to [tenant]`},
		"unknown key of gate":    {minimal + "[gate]\nmax = 1\n", `9: unknown key "max" in [gate]`},
		"key of another table":   {minimal + "issuer = \"https://gitlab.example.com\"\n", `8: unknown key "issuer" in [tenant]; it belongs to [gitlab]`},
		"key in capitals":        {minimal + "Refs = [\"main\"]\n", `8: unknown key "Refs" in [tenant]; did you mean "refs"?`},
		"key with a long s":      {minimal + "\"ref\u017f\" = [\"main\"]\n", `8: unknown key "refſ" in [tenant]`},
		"key with a Kelvin sign": {minimal + "\"id_to\u212aen\" = \"A\"\n", `8: unknown key "id_to`},
		"top key in capitals":    {"Builds_Dir = \"/a\"\n" + minimal, `1: unknown key "Builds_Dir"`},
		"table in capitals":      {minimal + "[STS]\nproxy = \"http://p\"\n", `8: unknown table "STS"`},
		"tenant in capitals":     {minimal + "[[Tenant]]\nname = \"b\"\n", `8: unknown table "Tenant"`},
		"unknown table":          {minimal + "[aws]\nx = 1\n", `8: unknown table "aws"`},
		"table within":           {minimal + "[gitlab.sts]\n", `8: unknown table "gitlab.sts"`},
		"table of a tenant":      {minimal + "[tenant.refs]\n", `8: unknown table "tenant.refs"`},
		"empty table name":       {minimal + "[\"\"]\nbuilds_dir = \"/a\"\n", `8: unknown table ""`},
		"dotted in quotes":       {"\"gitlab.issuer\" = \"https://a.example\"\n" + minimal, `1: unknown key "gitlab.issuer"`},
		"dotted key of a tenant": {"tenant.name = \"a\"\n" + minimal, `1: unknown key "tenant.name"`},
		"dotted default":         {minimal + "defaults.refs = [\"a\"]\n", `8: unknown key "defaults.refs" in [tenant]`},
		"one bracket":            {strings.ReplaceAll(minimal, "[[tenant]]", "[tenant]"), "3: a tenant begins with [[tenant]]"},
		"two brackets":           {strings.ReplaceAll(minimal, "[gitlab]", "[[gitlab]]"), "1: write [gitlab] with one bracket"},
		"inline tenants":         {"tenant = [{name = \"a\"}]\n", "1: tenant is a table"},
		"inline table":           {"gitlab = {issuer = \"https://a.example\"}\n", "1: gitlab is a table"},
		"a number for a text":    {minimal + "region = 1\n", "8: region: want a text in quotes"},
		"a date for a text":      {minimal + "region = 2026-01-01\n", "8: region: want a text in quotes"},
		"a skeleton of nothing":  {"home_skeleton = \"/x\"\n" + minimal, "1: home_skeleton: without builds_dir it has no effect"},
		"a text for a list":      {minimal + "refs = \"main\"\n", "8: refs: want a list of texts"},
		"a number in a list":     {minimal + "refs = [\"main\", 1]\n", "8: refs: want a list of texts"},
		"a list in a list":       {minimal + "refs = [[\"main\"]]\n", "8: refs: want a list of texts"},
		"deep lists":             {minimal + "refs = " + strings.Repeat("[", 100000), "8: "},
		"a text for a truth":     {minimal + "protected = \"true\"\n", "8: protected: want true or false, without quotes"},
		"a number for a truth":   {minimal + "protected = 1\n", "8: protected: want true or false"},
		"True":                   {minimal + "protected = True\n", "8: "},
		"a name for all":         {minimal + "[defaults]\nname = \"b\"\n", `9: unknown key "name" in [defaults]`},
	} {
		if got := refused(t, test.text); !strings.HasPrefix(got[0], "/etc/p.toml:"+test.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, test.want)
		}
	}
}

// TestCompileRefusesValues adds one line to a right policy, its tenth.
func TestCompileRefusesValues(t *testing.T) {
	t.Parallel()
	const key, projects = `tenant "alpha": `, "[[tenant]]\nname = \"alpha\"\n"
	settings := "[gitlab]\nissuer = \"https://gitlab.example.com\"\n[defaults]\nrole_arn = \"arn:aws:iam::111122223333:role/a\"\n" +
		"audience = \"aud\"\nprojects = [\"acme/x\"]\n\n"
	for line, want := range map[string]string{
		`id_token = ""`:                                        key + `id_token: "": want the name of a variable`,
		`id_token = "1A"`:                                      key + `id_token: "1A": want the name of a variable`,
		`id_token = "A-B"`:                                     key + `id_token: "A-B": want the name of a variable`,
		`id_token = "A\nB"`:                                    key + `id_token: "A\nB": want the name of a variable`,
		`role_arn = ""`:                                        key + `role_arn: "" is not the ARN`,
		`role_arn = "arn:aws:iam::1:role/a"`:                   key + `role_arn: "arn:aws:iam::1:role/a" is not the ARN`,
		`role_arn = "arn:aws:iam::111122223333:user/a"`:        key + `role_arn: "arn:aws:iam::111122223333:user/a" is not the ARN`,
		`audience = ""`:                                        key + `audience: "": want the aud`,
		`audience = "a b"`:                                     key + `audience: "a b": want the aud`,
		`region = "EU-WEST-1"`:                                 key + `region: "EU-WEST-1" is not an AWS region`,
		`region = "x.evil.example/"`:                           key + `region: "x.evil.example/" is not an AWS region`,
		`duration = "14m59s"`:                                  key + `duration: "14m59s": want a duration from "15m" to "12h"`,
		`duration = "12h1s"`:                                   key + `duration: "12h1s": want a duration`,
		`duration = "3600"`:                                    key + `duration: "3600": want a duration`,
		`duration = "-1h"`:                                     key + `duration: "-1h": want a duration`,
		`duration = "15m0.5s"`:                                 key + `duration: "15m0.5s": want a duration`,
		`projects = []`:                                        key + `projects: the list is empty, so no job could match`,
		`refs = []`:                                            key + `refs: the list is empty`,
		`ref_types = []`:                                       key + `ref_types: the list is empty`,
		`environments = []`:                                    key + `environments: the list is empty`,
		`allowed_accounts = []`:                                key + `allowed_accounts: the list is empty`,
		`ref_types = ["Branch"]`:                               key + `ref_types: "Branch": want "branch" or "tag"`,
		`ref_types = ["branch", ""]`:                           key + `ref_types: "": want "branch" or "tag"`,
		`allowed_accounts = ["1"]`:                             key + `allowed_accounts: "1": want the 12 digits`,
		`allowed_accounts = ["444455556666"]`:                  key + `role_arn: its account "111122223333" is not among allowed_accounts`,
		`session_policy_file = "a.json"`:                       key + `session_policy_file: "a.json": want an absolute path`,
		`session_policy_file = "/a/../b"`:                      key + `session_policy_file: "/a/../b": want an absolute path`,
		`session_policy_file = "/a/"`:                          key + `session_policy_file: "/a/": want an absolute path`,
		`session_policy_file = "/"`:                            key + `session_policy_file: "/": want an absolute path`,
		`session_policy_file = "/a\u0000b"`:                    key + `session_policy_file: "/a\x00b": want an absolute path`,
		`policy_arns = ["ReadOnlyAccess"]`:                     key + `policy_arns: "ReadOnlyAccess": want the ARN of a managed policy`,
		`policy_arns = ["arn:aws:iam::aws:role/x"]`:            key + `policy_arns: "arn:aws:iam::aws:role/x": want the ARN`,
		`policy_arns = ["arn:aws:iam::evil:policy/x"]`:         key + `policy_arns: "arn:aws:iam::evil:policy/x": want aws or 12 digits`,
		`policy_arns = ["arn:aws:iam::444455556666:policy/x"]`: key + `policy_arns: "arn:aws:iam::444455556666:policy/x" belongs neither to the role's account`,
		`policy_arns = ["arn:aws-cn:iam::aws:policy/x"]`:       key + `policy_arns: "arn:aws-cn:iam::aws:policy/x" belongs neither to the role's account`,
		`policy_arns = [` + strings.Repeat(`"arn:aws:iam::aws:policy/x",`, 11) + `]`: key + `policy_arns: there are 11, and AWS takes at most 10`,
	} {
		text := settings + projects + line + "\n"
		want = "10: " + want
		if strings.Contains(want, "role_arn: its account") {
			want = strings.Replace(want, "10: ", "8: ", 1) // the role is a default; the tenant is wrong
		}
		if got := refused(t, text); !strings.HasPrefix(got[0], "/etc/p.toml:"+want) || len(got) != 1 {
			t.Errorf("%s:\n got %q\nwant %q", line, got, want)
		}
	}
}

func TestCompileRefusesSettings(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		"":                             "1: [gitlab] issuer: it is missing",
		"[gitlab]":                     "1: [gitlab] issuer: it is missing",
		"\n[gitlab]\nca_bundle = \"\"": "2: [gitlab] issuer: it is missing",
		"[gitlab]\nissuer = \"\"":      "2: [gitlab] issuer: it is missing",
		"[gitlab]\nissuer = \"gitlab.example.com\"":                                                                  "2: [gitlab] issuer: want a URL such as",
		"[gitlab]\nissuer = \"https://\"":                                                                            "2: [gitlab] issuer: want a URL such as",
		"[gitlab]\nissuer = \"https://:443\"":                                                                        "2: [gitlab] issuer: want a URL such as",
		"[gitlab]\nissuer = \"https://gitlab.example.com /\"":                                                        "2: [gitlab] issuer: want a URL such as",
		"[gitlab]\nissuer = \"http://gitlab.example.com\"":                                                           "2: [gitlab] issuer: want an https:// URL",
		"[gitlab]\nissuer = \"http://localhost.evil.example\"":                                                       "2: [gitlab] issuer: want an https:// URL",
		"[gitlab]\nissuer = \"http://127.0.0.1.evil.example\"":                                                       "2: [gitlab] issuer: want an https:// URL",
		"[gitlab]\nissuer = \"file:///etc\"":                                                                         "2: [gitlab] issuer: want a URL such as",
		"[gitlab]\nissuer = \"https://a.example/?\"":                                                                 "2: [gitlab] issuer: want a URL without user, query and fragment",
		"[gitlab]\nissuer = \"https://a.example/#\"":                                                                 "2: [gitlab] issuer: want a URL without user, query and fragment",
		"[gitlab]\nissuer = \"https://u@a.example\"":                                                                 "2: [gitlab] issuer: want a URL without user, query and fragment",
		"[gitlab]\nissuer = \"https://a.example\"\njwks_url = \"http://a.example/keys\"":                             "3: [gitlab] jwks_url: want an https:// URL",
		"[gitlab]\nissuer = \"https://a.example\"\njwks_url = \"https://a.example/keys\"\njwks_file = \"/etc/keys\"": "4: [gitlab] jwks_file: there is also a jwks_url",
		"[gitlab]\nissuer = \"https://a.example\"\njwks_file = \"keys\"":                                             "3: [gitlab] jwks_file: \"keys\": want an absolute path",
		"builds_dir = \"builds\"\n[gitlab]\nissuer = \"https://a.example\"":                                          "1: builds_dir: \"builds\": want an absolute path",
		"\ncache_dir = \"~/c\"\n[gitlab]\nissuer = \"https://a.example\"":                                            "2: cache_dir: \"~/c\": want an absolute path",
		"credentials_dir = \"/run/\"\n[gitlab]\nissuer = \"https://a.example\"":                                      "1: credentials_dir: \"/run/\": want an absolute path",
		"metrics_file = \"/a/b.prom\"\n[gitlab]\nissuer = \"https://a.example\"":                                     "1: metrics_file: without audit_log there is nothing to count; set audit_log, or remove it",
		"audit_log = \"/a\"\nmetrics_file = \"/a/b\"\n[gitlab]\nissuer = \"https://a.example\"":                      "2: metrics_file: node_exporter reads only files whose names end with .prom",
		"audit_log = \"/a\"\nmetrics_file = \"b.prom\"\n[gitlab]\nissuer = \"https://a.example\"":                    "2: metrics_file: \"b.prom\": want an absolute path",
		"audit_log = \"/a//b\"\n[gitlab]\nissuer = \"https://a.example\"":                                            "1: audit_log: \"/a//b\": want an absolute path",
	} {
		text := lines + "\n[[tenant]]\nname = \"a\"\nrole_arn = \"arn:aws:iam::111122223333:role/a\"\naudience = \"a\"\nprojects = [\"a/b\"]\n"
		if got := refused(t, text); !strings.HasPrefix(got[0], "/etc/p.toml:"+want) || len(got) != 1 {
			t.Errorf("%s:\n got %q\nwant %q", lines, got, want)
		}
	}
}

// TestCompileRefusesMoreSettings adds a table to a right policy, on its line 8.
func TestCompileRefusesMoreSettings(t *testing.T) {
	t.Parallel()
	for lines, want := range map[string]string{
		"[gate]\nincomplete = \"ignore\"":                       "[gate] incomplete: \"ignore\": want \"refuse\" or \"warn\"",
		"[gate]\nforeign_keys = \"ask\"":                        "[gate] foreign_keys: \"ask\": want \"refuse\", \"warn\" or \"off\"",
		"[gate]\nforeign_keys = \"\"":                           "[gate] foreign_keys: \"\": want",
		"[gate]\nincomplete = \"\"":                             "[gate] incomplete: \"\": want",
		"[gate]\nmax_bytes = 0":                                 "[gate] max_bytes: want a number above 0",
		"[gate]\nmax_files = 0":                                 "[gate] max_files: want a number above 0",
		"[gate]\nmax_bytes = -1":                                "[gate] max_bytes: want a number above 0",
		"[gate]\nmax_bytes = 1.5":                               "max_bytes: want a whole number",
		"[gate]\nmax_bytes = 9223372036854775808":               "decimal number is too large",
		"[gate]\nmax_duration = \"0s\"":                         "[gate] max_duration: \"0s\": want a duration above 0",
		"[gate]\nmax_duration = \"\"":                           "[gate] max_duration: \"\": want a duration",
		"[sts]\nendpoint = \"http://sts.amazonaws.com\"":        "[sts] endpoint: want an https:// URL; http:// is for this host only",
		"[sts]\nendpoint = \"sts.amazonaws.com\"":               "[sts] endpoint: want a URL",
		"[sts]\nendpoint = \"https://user:secret@sts.example\"": "[sts] endpoint: want a URL without user",
		"[sts]\nproxy = \"user:secret@proxy.example:1\"":        "[sts] proxy: want the URL of a proxy",
		"[sts]\nproxy = \"http://u:secret@proxy.example:x\"":    "[sts] proxy: want the URL of a proxy",
		"[sts]\nproxy = \"ftp://u:secret@proxy.example\"":       "[sts] proxy: want the URL of a proxy",
		"[sts]\nproxy = \"http://u:secret@proxy.example/a\"":    "[sts] proxy: want the URL of a proxy",
		"[sts]\nca_bundle = \"ca.pem\"":                         "[sts] ca_bundle: \"ca.pem\": want an absolute path",
	} {
		if got := refused(t, minimal+lines+"\n"); !strings.HasPrefix(got[0], "/etc/p.toml:9: "+want) || len(got) != 1 {
			t.Errorf("%s:\n got %q\nwant %q", lines, got, want)
		}
	}
}

func TestCompileRefusesTenants(t *testing.T) {
	t.Parallel()
	const lacking = "[gitlab]\nissuer = \"https://a.example\"\n"
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"no keys": {lacking + "\n[[tenant]]\n", []string{
			"4: tenant 1 of the file: name: it is missing",
			"4: tenant 1 of the file: role_arn: it is missing, here and in [defaults]",
			"4: tenant 1 of the file: audience: it is missing, here and in [defaults]",
			"4: tenant 1 of the file: projects: it is missing, here and in [defaults]",
		}},
		"the same name":       {minimal + minimal[strings.Index(minimal, "[["):], []string{`9: tenant "alpha": name: the file has another tenant of that name`}},
		"the name of nobody":  {strings.ReplaceAll(minimal, `"alpha"`, `"none"`), []string{`4: tenant "none": name: jobs without a tenant have that name`}},
		"a name as a path":    {strings.ReplaceAll(minimal, `"alpha"`, `"../x"`), []string{`4: tenant "../x": name: tenant name "../x": want 1 to 63 of`}},
		"a name with a space": {strings.ReplaceAll(minimal, `"alpha"`, `"a b"`), []string{`4: tenant "a b": name: tenant name "a b": want`}},
		"a name in capitals":  {strings.ReplaceAll(minimal, `"alpha"`, `"A"`), []string{`4: tenant "A": name: tenant name "A": want`}},
		"a name for a shell":  {strings.ReplaceAll(minimal, `"alpha"`, `"$(id)"`), []string{`4: tenant "$(id)": name: tenant name "$(id)": want`}},
		"a name of 300":       {strings.ReplaceAll(minimal, `"alpha"`, `"`+strings.Repeat("a", 300)+`"`), []string{`4: tenant "aaaa`}},
		"an empty name":       {strings.ReplaceAll(minimal, `"alpha"`, `""`), []string{`4: tenant "": name: tenant name "": want`}},
		"a line in the name":  {strings.ReplaceAll(minimal, `"alpha"`, `"a\nb"`), []string{`4: tenant "a\nb": name: tenant name "a\nb": want`}},
		"an element of a list": {minimal + "refs = [\n  \"main\", # so\n  \"a|b\",\n  \"ok\",\n  \"x..y\"]", []string{
			`10: tenant "alpha": refs: "a|b": it cannot match: | is not a wildcard; write two patterns`,
			`12: tenant "alpha": refs: "x..y": it cannot match`,
		}},
		"a default, once": {strings.Replace(minimal, "[[", "[defaults]\nrefs = [\"a|b\"]\n[[", 1) + "[[tenant]]\nname = \"x\"\n", []string{
			`4: [defaults] refs: "a|b": it cannot match`,
			`10: tenant "x": role_arn: it is missing`,
			`10: tenant "x": audience: it is missing`,
			`10: tenant "x": projects: it is missing`,
		}},
		"in the order of the file": {strings.Replace(minimal, `"aud"`, `""`, 1) + "[sts]\nendpoint = \"x\"\n[gate]\nmax_bytes = 0", []string{
			`6: tenant "alpha": audience:`, `9: [sts] endpoint:`, `11: [gate] max_bytes:`,
		}},
		"unknown keys, all": {minimal + "a = 1\nb = 2\n", []string{`8: unknown key "a"`, `9: unknown key "b"`}},
		"unknown keys, the first ten": {minimal + strings.Repeat("\nx = 1", 11), []string{
			"9: ", "10: ", "11: ", "12: ", "13: ", "14: ", "15: ", "16: ", "17: ", "18: ",
		}},
		"tenants, the first ten errors": {minimal + strings.Repeat("[[tenant]]\n", 1000), []string{
			"8: ", "8: ", "8: ", "8: ", "9: ", "9: ", "9: ", "9: ", "10: ", "10: ",
		}},
	} {
		got := refused(t, test.text)
		if len(got) != len(test.want) {
			t.Errorf("%s: got %d lines, want %d:\n%s", name, len(got), len(test.want), strings.Join(got, "\n"))
			continue
		}
		for i, want := range test.want {
			if !strings.HasPrefix(got[i], "/etc/p.toml:"+want) {
				t.Errorf("%s:\n got %q\nwant %q", name, got[i], want)
			}
		}
	}
}
