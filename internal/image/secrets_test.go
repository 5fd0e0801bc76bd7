package image_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/image"
	"rolecall/internal/mask"
)

// TestConfigSecrets: all that logs in to a registry is a secret, in the forms in which
// docker's config.json has it.
func TestConfigSecrets(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte("ci:hunter2:hunter2"))
	for text, want := range map[string][]string{
		`{"auths":{"r.example.com":{"auth":"` + encoded + `"}}}`:                                          {encoded, "hunter2:hunter2"},
		`{"auths":{"a":{"username":"ci","password":"hunter2:hunter2"},"b":{"auth":"` + encoded + `"}}}`:   {encoded, "hunter2:hunter2"},
		`{"auths":{"a":{"identitytoken":"identity-token","registrytoken":"registry-token"}}}`:             {"identity-token", "registry-token"},
		`{"auths":{"a":{"auth":"dTpw"},"b":{"username":"u","password":"short"},"c":{}},"credsStore":"x"}`: {"dTpzaG9ydA=="},
		`{"auths":{"a":{"auth":"what this is, is not known"}}}`:                                           {"what this is, is not known"},
		`{"auths":{"a":5,"b":{"auth":"` + encoded + `"}}}`:                                                {encoded, "hunter2:hunter2"},
		`{"auths":[]}`: nil, `x`: nil, ``: nil,
	} {
		if got := reveal(image.ConfigSecrets(text)); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestLoginSecrets: what is too short to be masked is left out, and is no error of the masks.
func TestLoginSecrets(t *testing.T) {
	t.Parallel()
	for password, want := range map[string][]string{"": nil, "x": {"Y2k6eA=="}, "long enough": {"Y2k6bG9uZyBlbm91Z2g=", "long enough"}} {
		got := image.LoginSecrets("ci", mask.NewSecret(password))
		if !slices.Equal(reveal(got), want) {
			t.Errorf("%q: %q, want %q", password, reveal(got), want)
		}
		if err := mask.NewMasks().Add(got...); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	if got := image.LoginSecrets("a long name", mask.NewSecret("")); len(got) > 0 {
		t.Errorf("a login without a password: %q", reveal(got))
	}
}

// reveal returns secrets as texts.
func reveal(all []mask.Named) []string {
	var texts []string
	for _, one := range all {
		texts = append(texts, one.Value.Reveal())
	}
	slices.SortFunc(texts, strings.Compare)
	return texts
}
