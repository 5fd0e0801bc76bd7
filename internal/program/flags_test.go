package program_test

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

// policyText is a policy file of one tenant.
const policyText = `shared_user = "unsafe"
[gitlab]
issuer = "https://gitlab.example.com"
[[tenant]]
name = "alpha"
role_arn = "arn:aws:iam::111122223333:role/deploy"
audience = "https://gitlab.example.com"
projects = ["acme/deploy"]
`

// checkError checks that err is of a side and says a text; an empty text is for no
// error.
func checkError(t *testing.T, what string, err error, side fault.Side, says string) {
	t.Helper()
	switch {
	case says == "" && err != nil:
		t.Errorf("%s: error %v, want none", what, err)
	case says != "" && (err == nil || fault.SideOf(err) != side || !strings.Contains(err.Error(), says)):
		t.Errorf("%s: error %v, want %q of %s", what, err, says, side)
	}
}

// TestUsage: --help lists every flag, and its example is what a stage reads.
func TestUsage(t *testing.T) {
	t.Parallel()
	text := serve(nil, nil, "--help").out
	var f program.Flags
	set := flag.NewFlagSet("", flag.ContinueOnError)
	f.Register(set)
	want := []string{"version", "help"}
	set.VisitAll(func(f *flag.Flag) { want = append(want, f.Name) })
	var listed []string
	for _, m := range regexp.MustCompile(`(?m)^  --(\S+)`).FindAllStringSubmatch(text, -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(want)
	slices.Sort(listed)
	if !slices.Equal(listed, want) {
		t.Errorf("--help lists the flags %q, want %q", listed, want)
	}
	if !strings.Contains(text, "(default "+policyfile.Default+")") {
		t.Errorf("--help does not name %s:\n%s", policyfile.Default, text)
	}
	example := program.Flags{Config: "/etc/rolecall/ci.toml", Tenant: "alpha"}
	lines := regexp.MustCompile(`(?m)(^    \w+_args = .*\n){4}`).FindString(text)
	if lines != program.Paste(example)+"\n" {
		t.Errorf("the example of --help is\n%s, want\n%s", lines, program.Paste(example))
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, test := range map[string]struct {
		flags   program.Flags
		tenants int // -1: there is no policy
		says    string
	}{
		"none":    {program.Flags{NoPolicy: true}, -1, ""},
		"good":    {program.Flags{Config: write("good.toml", policyText)}, 1, ""},
		"broken":  {program.Flags{Config: write("broken.toml", "tenant = 1\n")}, -1, "broken.toml"},
		"missing": {program.Flags{Config: filepath.Join(dir, "none.toml")}, -1, "none.toml: no such file or directory; write it; or, if it has another name, correct --config"},
	} {
		policy, err := test.flags.Policy(grant.AWS{})
		checkError(t, name, err, fault.Admin, test.says)
		if policy == nil && test.tenants >= 0 || policy != nil && len(policy.Tenants()) != test.tenants {
			t.Errorf("%s: policy %v, want %d tenants", name, policy, test.tenants)
		}
	}
}

// TestNoPolicy: an admin who has named no policy file and written none hears of the other
// way.
func TestNoPolicy(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a host without a policy file") {
		return
	}
	kit.Mount(t, "/etc", "size=8k", 0)
	policy, err := program.Flags{Tenant: "alpha"}.Policy(grant.AWS{})
	if checkError(t, "no file", err, fault.Admin, policyfile.Default); policy != nil || fault.CodeOf(err) != fault.NoPolicy {
		t.Errorf("%v, %v, want %s", policy, err, fault.NoPolicy)
	}
}

func TestPinned(t *testing.T) {
	t.Parallel()
	for flag, want := range map[string]struct {
		name tenant.Name
		says string
	}{
		"":      {tenant.None, ""},
		"alpha": {"alpha", ""},
		"A b":   {tenant.None, "--tenant: "},
	} {
		got, err := program.Flags{Tenant: flag}.Pinned()
		if got != want.name {
			t.Errorf("--tenant %q: %q, want %q", flag, got, want.name)
		}
		checkError(t, "--tenant "+flag, err, fault.Admin, want.says)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	var f program.Flags
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	f.Register(set)
	err := set.Parse([]string{"--config=/c", "--no-policy", "--run-as=ci", "--tenant=alpha"})
	if want := (program.Flags{Config: "/c", NoPolicy: true, RunAs: "ci", Tenant: "alpha"}); err != nil || f != want {
		t.Errorf("flags %+v, %v, want %+v", f, err, want)
	}
	if got, want := f.String(), "--no-policy --config /c --run-as ci --tenant alpha"; got != want {
		t.Errorf("as a text %q, want %q", got, want)
	}
	if got := (program.Flags{}).String(); got != "none" {
		t.Errorf("no flags as a text: %q, want none", got)
	}
	if err := set.Parse([]string{"--no-policy=perhaps"}); err == nil || errors.Is(err, flag.ErrHelp) {
		t.Errorf("--no-policy=perhaps: %v", err)
	}
}
