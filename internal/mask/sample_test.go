package mask_test

import (
	"encoding/base64"
	"math/rand/v2"
	"testing"

	"rolecall/internal/mask"
)

// credentials are secrets in the form of AWS's and GitLab's: a key, its id, a session
// token of 1,200 bytes and a JWT of 2,000.
type credentials struct{ key, id, session, jwt string }

// newCredentials returns credentials that are the same in every run.
func newCredentials() credentials {
	random := rand.New(rand.NewPCG(1, 2))
	letters := func(alphabet string, n int) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = alphabet[random.IntN(len(alphabet))]
		}
		return string(text)
	}
	const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"4i3sFE7sxqNPOT7FdvcGA1ZVGGI_r-tsDXnEuYT4ZqE","typ":"JWT"}`))
	jwt := header + "." + letters(alphanumeric+"-_", 1500) + "."
	return credentials{
		key:     letters(alphanumeric+"+/", 40),
		id:      "ASIA" + letters(alphanumeric[:26]+"234567", 16),
		session: "IQoJb3JpZ2luX2VjE" + letters(alphanumeric+"+/", 1200-17-2) + "==",
		jwt:     jwt + letters(alphanumeric+"-_", 2000-len(jwt)),
	}
}

// texts returns the four texts.
func (c credentials) texts() []string { return []string{c.key, c.id, c.session, c.jwt} }

// needlesOf returns Needles for the forms of texts.
func needlesOf(t testing.TB, texts ...string) *mask.Needles {
	t.Helper()
	var secrets []mask.Secret
	for _, text := range texts {
		secrets = append(secrets, mask.NewSecret(text))
	}
	needles, err := mask.NewNeedles(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return needles
}
