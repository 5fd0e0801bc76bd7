package creds_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

func TestCheckAccepts(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]creds.Set{
		"none":           nil,
		"two":            {first(), second()},
		"two of one":     {first(), {Provider: "cloud", Name: "other"}},
		"shortest":       of("A", "x"),
		"longest":        of("A"+strings.Repeat("_", 63), strings.Repeat("/", 16<<10)),
		"signs only":     of("_A", "+/=._-:,@%"),
		"begins as a -n": of("A", "-n"),
		"own names":      of("KUBECONFIG", "x", "PGPASSWORD", "x", "TF_VAR_token", "x", "COMPOSE_FILE", "x", "MAILGUN_KEY", "x", "PSQL_URL", "x", "LDAP_PASSWORD", "x"),
	} {
		if err := set.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCheckRefusesValues: each malformed text is refused with its variable's name and
// without the value.
func TestCheckRefusesValues(t *testing.T) {
	t.Parallel()
	filler := strings.Repeat("A", 20)
	for want, texts := range map[string][]string{
		"0 bytes":             {""},
		"17408 bytes":         {strings.Repeat("A", 17<<10)},
		"a line break":        {filler + "\n", "\n" + filler, filler + "\nLD_PRELOAD=/x", filler + "\r", filler + "\r\n", filler + "\u2028", filler + "\u0085"},
		"a control character": {filler + "\x00", filler + "\x1b[0m", filler + "\x7f", filler + "\u009b0m"},
		"bytes that are not":  {filler + "\xff", "\xc3" + filler},
	} {
		for _, text := range texts {
			err := of("GOOD", "x", "CLOUD_KEY", text).Check()
			if err == nil || !strings.HasPrefix(err.Error(), "the value of CLOUD_KEY has "+want) {
				t.Errorf("%.60q: error %v, want one of %s", text, err, want)
			}
			if err != nil && len(text) > 2 && strings.Contains(err.Error(), text) || len(text) > 20 && strings.Contains(err.Error(), filler) {
				t.Errorf("%.60q: the error holds the value: %v", text, err)
			}
		}
	}
}

// TestApart: what readers of an env file do not read alike is not in it, and scripts have it in
// their environment.
func TestApart(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{" ", "\t", "'", `"`, "`id`", `\`, "é", "\ufeff", "$(id)", "$A", "#", ";", "&", "|", "*", "~", "?", "[a]", "{a,b}", "!", "^", "<", ">", "("} {
		set := of("FIRST", "x", "ODD", "a"+odd+"b", "LAST", "y")
		if err := set.Check(); err != nil {
			t.Errorf("%q: %v", odd, err)
		}
		if file := string(set.EnvFile()); file != "FIRST=x\nLAST=y\n" {
			t.Errorf("%q: the env file is %q", odd, file)
		}
		if got := set[0].Apart(); len(got) != 1 || got[0] != "ODD" || set.Environ()[1] != "ODD=a"+odd+"b" {
			t.Errorf("%q: apart are %q, and the environment is %q", odd, got, set.Environ())
		}
	}
}

// TestReadersDisagree: what the article's line does with one quote in a value is why a
// variable with a quote is not in the env file.
func TestReadersDisagree(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "env")
	for _, odd := range []string{`"`, "'", `\`, " "} {
		kit.Must(t, os.WriteFile(file, []byte("A=x"+odd+"y\n"), 0o600))
		command := exec.Command("bash", "-c", `export $(cat "$1" | xargs 2>/dev/null) >/dev/null; printf %s "$A"`, "reader", file)
		command.Env = []string{"PATH=" + os.Getenv("PATH")}
		out, _ := command.Output() // a reader that fails has read another value
		if string(out) == "x"+odd+"y" {
			t.Errorf("%q is read as docker reads it, and can be in the file", odd)
		}
	}
}

func TestCheckRefusesNames(t *testing.T) {
	t.Parallel()
	const form, own = "the name of a variable is not made of letters A-Z, digits and _", "has a meaning to shells or the loader"
	for name, want := range map[string]string{
		"": form, "1A": form, "A-B": form, "A B": form, "A=B": form, "A\n": form, "É": form, "-n": form, strings.Repeat("A", 65): form, "A$(id)": form,
		"PATH": own, "LD_PRELOAD": own, "BASH_ENV": own, "IFS": own, "LC_ALL": own, "PS4": own, "_": own,
	} {
		err := of(name, "x").Check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", name, err, want)
		}
		if want == form && len(name) > 2 && strings.Contains(err.Error(), name) {
			t.Errorf("%q: the error holds the name", name)
		}
	}
}

func TestCheckRefusesParts(t *testing.T) {
	t.Parallel()
	const noKind, noFile = "the kind of a secret is not valid", "the name of the file for CLOUD_KEY_FILE, CLOUD_FILE_KEY is malformed"
	long := strings.Repeat("x", 64<<10)
	for _, test := range []struct {
		want   string
		change func(c *creds.Credential)
	}{
		{"the provider or the name of a credential is not valid", func(c *creds.Credential) { c.Provider = "" }},
		{"the provider or the name of a credential is not valid", func(c *creds.Credential) { c.Name = "a\nb" }},
		{"the provider or the name of a credential is not valid", func(c *creds.Credential) { c.Name = strings.Repeat("a", 65) }},
		{noFile, func(c *creds.Credential) { c.Files[0].Name = "" }},
		{noFile, func(c *creds.Credential) { c.Files[0].Name = "../key" }},
		{noFile, func(c *creds.Credential) { c.Files[0].Name = "a/b" }},
		{noFile, func(c *creds.Credential) { c.Files[0].Name = ".aws.x.env" }},
		{noFile, func(c *creds.Credential) { c.Files[0].Name = "a\x00" }},
		{noFile, func(c *creds.Credential) { c.Files[0].Name = strings.Repeat("a", 65) }},
		{"file key.json is not UTF-8 of at most 65536 bytes", func(c *creds.Credential) { c.Files[0].Content = mask.NewSecret(long + "x") }},
		{"file key.json is not UTF-8", func(c *creds.Credential) { c.Files[0].Content = mask.NewSecret("\xff") }},
		{"the name of a variable is not", func(c *creds.Credential) { c.Files[0].Variables[0] = "" }},
		{noKind, func(c *creds.Credential) { c.Secrets[0].Kind = "" }},
		{noKind, func(c *creds.Credential) { c.Secrets[0].Kind = "a\nkind" }},
		{"cloud key is not UTF-8 of 8 to 65536 bytes", func(c *creds.Credential) { c.Secrets[0].Value = mask.NewSecret("short") }},
		{"cloud key is not UTF-8", func(c *creds.Credential) { c.Secrets[0].Value = mask.NewSecret("\xff" + goodSecret) }},
		{"cloud key is not UTF-8", func(c *creds.Credential) { c.Secrets[0].Value = mask.NewSecret(long + "x") }},
		{"the path of the folder for CLOUD_DIR is malformed", func(c *creds.Credential) { c.Folders[0].Path = "../x" }},
		{"the path of the folder for CLOUD_DIR is malformed", func(c *creds.Credential) { c.Folders[0].Path = "/x" }},
		{"the path of the folder for CLOUD_DIR is malformed", func(c *creds.Credential) { c.Folders[0].Path = "a b" }},
		{"variable PATH has a meaning", func(c *creds.Credential) { c.Folders[0].Variable = "PATH" }},
		{"variable CLOUD_ID occurs twice", func(c *creds.Credential) { c.Folders[0].Variable = "CLOUD_ID" }},
	} {
		c := first()
		test.change(&c)
		err := creds.Set{c}.Check()
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("error %v, want %q", err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), goodSecret) || len(err.Error()) > 300) {
			t.Errorf("%s: the error holds a value: %v", test.want, err)
		}
	}
}

// TestCheckRefusesTwice: two credentials must not have the same name, variable or file,
// and their total size is bounded.
func TestCheckRefusesTwice(t *testing.T) {
	t.Parallel()
	file := creds.Credential{Provider: "c", Files: []creds.File{{Name: "key.json", Variables: []string{"OTHER"}, Content: mask.NewSecret("x")}}}
	many := creds.Credential{Provider: "many"}
	for _, name := range []string{"A", "B", "C", "D", "E"} {
		many.Env = append(many.Env, variable(name, strings.Repeat("x", 16<<10)))
	}
	for want, set := range map[string]creds.Set{
		"credential test occurs twice":      {of("A", "x")[0], of("B", "x")[0]},
		"variable VAULT_TOKEN occurs twice": {second(), {Provider: "b", Env: second().Env}},
		"file key.json occurs twice":        {first(), file},
		"the env file is larger than 65536": {many},
	} {
		if err := set.Check(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	for i := range many.Env[:2] {
		many.Env[i].Value = mask.NewSecret(strings.Repeat("x y ", 4<<10))
	}
	if err := (creds.Set{many}).Check(); err != nil {
		t.Errorf("a variable that is not in the env file counts: %v", err)
	}
	twice := creds.Set{first()}
	twice[0].Files[0].Variables[1] = "CLOUD_ID"
	if err := twice.In(func(name string) string { return name }).Check(); err == nil || err.Error() != "variable CLOUD_ID occurs twice" {
		t.Errorf("a file's variable that is another's: error %v", err)
	}
}
