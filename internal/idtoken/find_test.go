package idtoken_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/idtoken"
)

// TestOfJob: whatever is around the tokens of a job in a variable, they are found, and
// nothing else is.
func TestOfJob(t *testing.T) {
	t.Parallel()
	one, two := sign(t, jose.RS256, payload), sign(t, jose.ES256, payload)
	spaced := unsigned(`{ "alg": "RS256" }`, payload)
	foreign := sign(t, jose.ES256, strings.Replace(payload, `"job_id":"4711"`, `"job_id":"4712"`, 1))
	fork := sign(t, jose.ES256, strings.Replace(payload, `"job_project_id":"12"`, `"job_project_id":"13"`, 1))
	nameless := sign(t, jose.ES256, `{"iss":"https://gitlab.example.com","sub":"s"}`)
	for name, test := range map[string]struct {
		texts []string
		want  []string
	}{
		"alone":                     {[]string{one}, []string{one}},
		"two variables":             {[]string{one, "x", two}, []string{one, two}},
		"twice":                     {[]string{one, one + "\n" + two, two}, []string{one, two}},
		"commas":                    {[]string{one + "," + two}, []string{one, two}},
		"blanks":                    {[]string{" " + one + "  " + two + " "}, []string{one, two}},
		"lines":                     {[]string{one + "\r\n" + two + "\n"}, []string{one, two}},
		"JSON":                      {[]string{`{"eyes":["` + one + `", "` + two + `"]}`}, []string{one, two}},
		"a header":                  {[]string{"Authorization: Bearer " + one}, []string{one}},
		"a URL":                     {[]string{"https://x.example/login?jwt=" + one + "&x=1"}, []string{one}},
		"the end of a sentence":     {[]string{"it is " + one + "."}, []string{one}},
		"after a word":              {[]string{"they_" + one, "-ey" + two}, []string{one, two}},
		"a header with blanks":      {[]string{spaced}, []string{spaced}},
		"another job's":             {[]string{foreign + " " + one}, []string{one}},
		"another project's":         {[]string{fork}, nil},
		"no job's":                  {[]string{nameless}, nil},
		"another algorithm":         {[]string{sign(t, jose.HS256, payload)}, nil},
		"no token":                  {[]string{"", "ey", "eye.eye.eye", "ey..", "ey.a.", "a.b.c", "hey, they.saw.keys", payload}, nil},
		"cut":                       {[]string{one[:len(one)/2], one[:strings.LastIndex(one, ".")+1]}, nil},
		"encrypted, five parts":     {[]string{unsigned(`{"alg":"RSA-OAEP","enc":"A256GCM"}`, payload) + ".a.b"}, nil},
		"a header that is too long": {[]string{unsigned(`{"alg":"RS256","x":"`+strings.Repeat("a", 1000)+`"}`, payload)}, nil},
		"encoded once more":         {[]string{base64.StdEncoding.EncodeToString([]byte(one))}, nil},
		"longer than a token is":    {[]string{one + strings.Repeat("a", 16<<10)}, nil},
		"among many other things":   {[]string{strings.Repeat("key=they.say.hey ", 10_000) + one}, []string{one}},
	} {
		var got []string
		for _, token := range idtoken.OfJob(slices.Values(test.texts), 4711, 12) {
			got = append(got, token.Raw.Reveal())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: found %d tokens %.60q, want %d", name, len(got), got, len(test.want))
		}
	}
}

// TestOfJobSlow: no text of a variable makes the search slow.
func TestOfJobSlow(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		strings.Repeat("ey", 64<<10),
		strings.Repeat("ey.", 42<<10),
		strings.Repeat(strings.Repeat("ey", 500)+"."+strings.Repeat("A", 15<<10)+".x ", 8),
	} {
		begin := time.Now()
		got := idtoken.OfJob(slices.Values([]string{text}), 4711, 12)
		if took := time.Since(begin); len(got) > 0 || took > 2*time.Second {
			t.Errorf("%.10q: found %d tokens in %v", text, len(got), took)
		}
	}
}
