package idtoken_test

import (
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/idtoken"
)

// FuzzParse checks that no text makes Parse panic, that it accepts only the two
// algorithms and only tokens that the checker of signatures can read, and that no error
// holds a part of the token.
func FuzzParse(f *testing.F) {
	good := sign(f, jose.ES256, payload)
	for _, seed := range []string{
		good, good + "\n", good[:len(good)/2], strings.ToUpper(good), sign(f, jose.HS256, payload),
		unsigned(`{"alg":"none"}`, payload), unsigned(`{"alg":"RS256","alg":"none"}`, payload), unsigned(`{"alg":["RS256"]}`, payload),
		unsigned(`{"alg":"RS256","jwk":{"kty":"oct","k":"AA"}}`, payload), unsigned(`{"alg":"RS256"}`, `{"job_id":1e999}`),
		unsigned(`{"alg":"RS256"}`, `{"job_id":"7777777777777777777777","aud":["a",1]}`), "", ".", "..", "...", "a.b.c", "\n", "\x00.\xff.",
		unsigned(`{"alg":"RS256","b64":false,"crit":["b64"]}`, payload), unsigned(`null`, `null`),
		unsigned(`{"alg":"RS256","nonce":1}`, payload), unsigned(`{"alg":"RS256","kid":1}`, payload), unsigned(`{"alg":"RS256","x5c":["AA"]}`, payload),
		unsigned(`{"alg":"RS256","x":1e999}`, payload), unsigned(`{"alg":"RS256","x":{"y":1,"y":2}}`, payload), unsigned(`{"alg":"ES256"}`, `{"x":[{"y":1,"y":2}]}`),
		unsigned(`{"alg":"ES256"}`, `{"exp":1.5,"aud":[null]}`), unsigned(`{"alg":"ES256","kid":null,"typ":{}}`, `{"exp":-1,"aud":["a","b"]}`),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		token, err := idtoken.Parse(raw)
		if err == nil {
			if alg := algorithm(raw); alg != "RS256" && alg != "ES256" {
				t.Fatalf("accepted a token of algorithm %q: %q", alg, raw)
			}
			if token.Raw.Reveal() != strings.TrimSuffix(raw, "\n") {
				t.Fatalf("%q is kept as %q", raw, token.Raw.Reveal())
			}
			if _, err := jose.ParseSignedCompact(token.Raw.Reveal(), []jose.SignatureAlgorithm{jose.RS256, jose.ES256}); err != nil {
				t.Fatalf("accepted %q, which the checker of signatures refuses: %v", raw, err)
			}
			err = token.CheckJob(4711, 12)
		} else if token.Raw.Reveal() != "" {
			t.Fatalf("a token beside the error %v", err)
		}
		if err == nil {
			return
		}
		for part := range strings.SplitSeq(raw, ".") {
			// Shorter words occur in the errors by chance.
			if len(part) >= 8 && !strings.Contains(allErrors, part) && strings.Contains(err.Error(), part) {
				t.Fatalf("the error %q holds the part %q of the token", err, part)
			}
		}
	})
}

// allErrors has the words of every error.
const allErrors = noToken + noClaims + " it has bytes, an ID token has at most 16384 its claim job_id job_project_id project_id this job's is 4711" +
	": exp nbf iat ref_protected environment has the wrong form its header has nonce; GitLab's ID tokens do not"
