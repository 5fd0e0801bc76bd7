package creds_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

func TestEnviron(t *testing.T) {
	t.Parallel()
	set := creds.Set{first(), second()}
	want := []string{"CLOUD_ID=" + goodID, "CLOUD_URL=https://cloud.example:8443/a,b@c%20", "VAULT_TOKEN=" + goodToken}
	if diff := cmp.Diff(want, set.Environ()); diff != "" {
		t.Errorf("the environment differs:\n%s", diff)
	}
	if diff := cmp.Diff(strings.Join(want, "\n")+"\n", string(set.EnvFile())); diff != "" {
		t.Errorf("the env file differs:\n%s", diff)
	}
	if file := (creds.Set{}).EnvFile(); len(file) > 0 {
		t.Errorf("the env file of no credentials is %q", file)
	}
}

// TestIn: the variable of a file comes after the credential's other variables, and the
// original set is unchanged.
func TestIn(t *testing.T) {
	t.Parallel()
	set := creds.Set{first(), second()}
	before := set.Environ()
	placed := set.In(func(name string) string { return "/run/x/" + name })
	want := []string{before[0], before[1], "CLOUD_KEY_FILE=/run/x/key.json", "CLOUD_FILE_KEY=/run/x/key.json", before[2]}
	if diff := cmp.Diff(want, placed.Environ()); diff != "" {
		t.Errorf("the environment differs:\n%s", diff)
	}
	if diff := cmp.Diff(before, set.Environ()); diff != "" {
		t.Errorf("the set has changed:\n%s", diff)
	}
}

// TestInTwice: two copies of one set never share a variable, even if the provider's slice
// has room for one more.
func TestInTwice(t *testing.T) {
	t.Parallel()
	roomy := first()
	roomy.Env = append(make([]creds.Variable, 0, 8), roomy.Env...)
	set := creds.Set{roomy}
	one := set.In(func(name string) string { return "/run/1/" + name })
	two := set.In(func(name string) string { return "/run/2/" + name })
	for path, placed := range map[string]creds.Set{"/run/1/key.json": one, "/run/2/key.json": two} {
		if got := placed.Environ()[2]; got != "CLOUD_KEY_FILE="+path {
			t.Errorf("the copy for %s has %s", path, got)
		}
	}
}

// TestPathOf: a file has the paths of those that it names, as JSON has them, and no others; the
// original set is unchanged.
func TestPathOf(t *testing.T) {
	t.Parallel()
	c := creds.Credential{Provider: "cloud", Files: []creds.File{
		{Name: "a.json", Variables: []string{"A"}, Content: mask.NewSecret(`{"file":"` + creds.PathOf("b") + `","other":"` + creds.PathOf("c") + `"}`), Names: []string{"b"}},
		{Name: "b", Content: mask.NewSecret(creds.PathOf("a.json"))},
	}}
	for range 2 {
		placed := creds.Set{c}.In(func(name string) string { return `/run/"x"/` + name })
		if got := placed[0].Files[0].Content.Reveal(); got != `{"file":"/run/\"x\"/b","other":"{path of c}"}` || placed[0].Files[1].Content.Reveal() != "{path of a.json}" {
			t.Errorf("the file has %s, the other %s", got, placed[0].Files[1].Content.Reveal())
		}
		if got := placed.Environ(); len(got) != 1 || got[0] != `A=/run/"x"/a.json` {
			t.Errorf("the environment is %q", got)
		}
	}
}

// TestCovers: a pattern is a name, or its beginning and a star.
func TestCovers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{{"A_B", "A_B", true}, {"A_B", "A_BC", false}, {"A_*", "A_", true}, {"A_*", "A_BC", true}, {"A_*", "AB", false}, {"A", "", false}} {
		if got := creds.Covers(test.pattern, test.name); got != test.want {
			t.Errorf("Covers(%q, %q) = %v", test.pattern, test.name, got)
		}
	}
}

func TestSecretsAndExpiry(t *testing.T) {
	t.Parallel()
	forever := creds.Credential{Provider: "static"}
	for name, test := range map[string]struct {
		set     creds.Set
		kinds   string
		expires time.Time
	}{
		"none":       {nil, "", time.Time{}},
		"no expiry":  {creds.Set{forever}, "", time.Time{}},
		"one":        {creds.Set{first()}, "cloud key", expires},
		"the sooner": {creds.Set{first(), forever, second()}, "cloud key, vault token", expires.Add(-time.Hour)},
	} {
		var kinds []string
		for _, s := range test.set.Secrets() {
			kinds = append(kinds, s.Kind)
		}
		if got := strings.Join(kinds, ", "); got != test.kinds || !test.set.Expires().Equal(test.expires) {
			t.Errorf("%s: %s, expires %v, want %s, %v", name, got, test.set.Expires(), test.kinds, test.expires)
		}
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	set := creds.Set{first(), second()}
	fresh := second()
	fresh.Expires = expires
	got, old, ok := set.Replace(fresh)
	if !ok || !old.Expires.Equal(expires.Add(-time.Hour)) || !got[1].Expires.Equal(expires) || !set[1].Expires.Equal(old.Expires) || len(got) != 2 {
		t.Errorf("Replace = %v, %v, %v of %v", got, old, ok, set)
	}
	for _, other := range []creds.Credential{{Provider: "cloud"}, {Provider: "vault", Name: "deploy"}, {}} {
		if got, _, ok := set.Replace(other); ok || len(got) != 2 {
			t.Errorf("Replace(%v) = %v, %v, want that there is none", other, got, ok)
		}
	}
}

// TestCredentialNeverPrintsItself: fmt and JSON show no value.
func TestCredentialNeverPrintsItself(t *testing.T) {
	t.Parallel()
	set := creds.Set{first(), second()}
	encoded, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	all := string(encoded)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, value := range []any{set, set[0], &set[0], set[0].Env, set[0].Files, set[0].Secrets} {
			all += "\n" + fmt.Sprintf(verb, value)
		}
	}
	for _, value := range []string{goodID, goodSecret, goodToken} {
		for _, form := range []string{value, fmt.Sprintf("%x", value), strings.Trim(fmt.Sprintf("%d", []byte(value)), "[]")} {
			if strings.Contains(all, form) {
				t.Errorf("it prints %s:\n%s", form, all)
			}
		}
	}
	if got := fmt.Sprint(set); got != "[cloud deploy vault]" {
		t.Errorf("a set prints %q", got)
	}
}

func TestFacts(t *testing.T) {
	t.Parallel()
	facts := creds.Facts{{"a", "1"}, {"b", "2"}, {"a", "3"}}
	if facts.Get("a") != "1" || facts.Get("b") != "2" || facts.Get("c") != "" || creds.Facts(nil).Get("a") != "" {
		t.Errorf("%v answers a %q, b %q, c %q", facts, facts.Get("a"), facts.Get("b"), facts.Get("c"))
	}
}
