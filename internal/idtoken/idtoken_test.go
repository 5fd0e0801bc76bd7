package idtoken_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/idtoken"
)

// payload is what GitLab signs for job 4711 of project 12.
const payload = `{"iss":"https://gitlab.example.com","sub":"project_path:g/p:ref_type:branch:ref:main","aud":"https://aws.example.com",
"job_id":"4711","project_id":"12","job_project_id":"12","runner_id":7,"ref_protected":"true","user_identities":[{"a":1}],"exp":1}`

// noToken is the refusal of a text that is not a token in GitLab's form.
const noToken = "it is not a JSON Web Token signed with RS256 or ES256"

// noClaims is the refusal of a token that is not GitLab's.
const noClaims = "its claims are not those of a GitLab ID token"

func TestParse(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []jose.SignatureAlgorithm{jose.RS256, jose.ES256} {
		raw := sign(t, algorithm, payload)
		token, err := idtoken.Parse(raw)
		if err != nil {
			t.Fatalf("%s: %v", algorithm, err)
		}
		c := token.Claims
		got := fmt.Sprint(c.Issuer, " ", c.Subject, " ", c.Audience, " ", c.JobID, " ", c.ProjectID, " ", c.JobProjectID)
		want := "https://gitlab.example.com project_path:g/p:ref_type:branch:ref:main [https://aws.example.com] 4711 12 12"
		if got != want || token.Raw.Reveal() != raw {
			t.Errorf("%s: claims %s, want %s; the raw token is kept: %v", algorithm, got, want, token.Raw.Reveal() == raw)
		}
		if printed := fmt.Sprintf("%v %+v %#v", token, token, &token); strings.Contains(printed, raw[len(raw)-20:]) {
			t.Errorf("%s: a Token prints itself: %s", algorithm, printed)
		}
	}
}

// TestParseOneNewline: the value of a file variable often ends with a newline.
func TestParseOneNewline(t *testing.T) {
	t.Parallel()
	raw := sign(t, jose.RS256, payload)
	token, err := idtoken.Parse(raw + "\n")
	if err != nil || token.Raw.Reveal() != raw {
		t.Errorf("error %v, the token is kept without the newline: %v", err, token.Raw.Reveal() == raw)
	}
}

// TestParseNewlines: a token is one line, which may end with one newline. Raw has no
// newline: STS and the masker get it unchanged.
func TestParseNewlines(t *testing.T) {
	t.Parallel()
	raw := sign(t, jose.RS256, payload)
	dot := strings.Index(raw, ".")
	for name, text := range map[string]string{
		"two at the end": raw + "\n\n",
		"CRLF":           raw + "\r\n",
		"at the start":   "\n" + raw,
		"in the middle":  raw[:dot+5] + "\n" + raw[dot+5:],
		"before the dot": raw[:dot] + "\r" + raw[dot:],
	} {
		if token, err := idtoken.Parse(text); err == nil || err.Error() != noToken {
			t.Errorf("%s: error %v, kept as %q…, want the error %q", name, err, token.Raw.Reveal()[:8], noToken)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	good := sign(t, jose.RS256, payload)
	parts := strings.Split(good, ".")
	for name, test := range map[string]struct{ raw, want string }{
		"empty":                  {"", noToken},
		"a word":                 {"token", noToken},
		"a JSON":                 {payload, noToken},
		"JSON serialization":     {`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, noToken},
		"two parts":              {parts[0] + "." + parts[1], noToken},
		"four parts":             {good + ".x", noToken},
		"five parts":             {good + ".x.y", noToken},
		"a space before":         {" " + good, noToken},
		"a space after":          {good + " ", noToken},
		"padded":                 {parts[0] + "=." + parts[1] + "." + parts[2], noToken},
		"alg none":               {unsigned(`{"alg":"none"}`, payload), noToken},
		"alg NONE, no signature": {strings.TrimSuffix(unsigned(`{"alg":"NONE"}`, payload), "bm8gc2lnbmF0dXJl"), noToken},
		"no alg":                 {unsigned(`{}`, payload), noToken},
		"alg null":               {unsigned(`{"alg":null}`, payload), noToken},
		"alg of another case":    {unsigned(`{"alg":"rs256"}`, payload), noToken},
		"two algs":               {unsigned(`{"alg":"none","alg":"RS256"}`, payload), noToken},
		"HS256":                  {sign(t, jose.HS256, payload), noToken},
		"HS512":                  {sign(t, jose.HS512, payload), noToken},
		"RS512":                  {sign(t, jose.RS512, payload), noToken},
		"PS256":                  {sign(t, jose.PS256, payload), noToken},
		"ES384":                  {sign(t, jose.ES384, payload), noToken},
		"payload is no JSON":     {sign(t, jose.ES256, "x"), noClaims},
		"payload is an array":    {sign(t, jose.ES256, "[]"), noClaims},
		"payload twice":          {sign(t, jose.ES256, payload+payload), noClaims},
		"a claim twice":          {sign(t, jose.ES256, `{"job_id":"1","job_id":"4711"}`), noClaims},
		"job_id is an object":    {sign(t, jose.ES256, `{"job_id":{}}`), noClaims},
		"job_id is a word":       {sign(t, jose.ES256, `{"job_id":"latest"}`), noClaims},
		"job_id is true":         {sign(t, jose.ES256, `{"job_id":true}`), noClaims},
		"aud is a number":        {sign(t, jose.ES256, `{"aud":1}`), noClaims},
		"sub is a number":        {sign(t, jose.ES256, `{"sub":1}`), noClaims},
		"20 KB":                  {sign(t, jose.ES256, `{"x":"`+strings.Repeat("x", 15000)+`"}`), "an ID token has at most 16384"},
		"20 MB of letters":       {strings.Repeat("x", 20<<20), "an ID token has at most 16384"},
	} {
		_, err := idtoken.Parse(test.raw)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

// TestParseAtTheLimit: a token of exactly 16 KiB is read, with a newline too.
func TestParseAtTheLimit(t *testing.T) {
	t.Parallel()
	short := unsigned(`{"alg":"RS256"}`, `{"job_id":"1","x":""}`)
	padding := (16<<10 - len(short)) * 3 / 4
	raw := unsigned(`{"alg":"RS256"}`, `{"job_id":"1","x":"`+strings.Repeat("x", padding)+`"}`)
	if len(raw) > 16<<10 || len(raw) < 16<<10-2 {
		t.Fatalf("the token made has %d bytes", len(raw))
	}
	if _, err := idtoken.Parse(raw + "\n"); err != nil {
		t.Errorf("%d bytes: %v", len(raw), err)
	}
}

func TestCheckJob(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ claims, want string }{
		"this very job":               {`"job_id":"4711","project_id":"12","job_project_id":"12"`, ""},
		"ids as numbers":              {`"job_id":4711,"project_id":12,"job_project_id":12`, ""},
		"an old server":               {`"job_id":"4711","project_id":"12"`, ""},
		"a fork's merge request":      {`"job_id":"4711","project_id":"99","job_project_id":"12"`, ""},
		"a project id of null":        {`"job_id":"4711","project_id":"12","job_project_id":null`, ""},
		"no job_id":                   {`"project_id":"12"`, "it has no claim job_id"},
		"job_id null":                 {`"job_id":null,"project_id":"12"`, "it has no claim job_id"},
		"another job":                 {`"job_id":"4712","project_id":"12"`, `its claim job_id is "4712", but this job's is 4711`},
		"a prefix":                    {`"job_id":"471","project_id":"12"`, `its claim job_id is "471", but this job's is 4711`},
		"a job id of another form":    {`"job_id":4711.0,"project_id":"12"`, `its claim job_id is "4711.0"`},
		"with an exponent":            {`"job_id":4.711e3,"project_id":"12"`, `its claim job_id is "4.711e3"`},
		"a negative job":              {`"job_id":-4711,"project_id":"12"`, `its claim job_id is "-4711"`},
		"another project":             {`"job_id":"4711","project_id":"13"`, `its claim project_id is "13", but this job's is 12`},
		"a fork's own pipeline":       {`"job_id":"4711","project_id":"12","job_project_id":"99"`, `its claim job_project_id is "99", but this job's is 12`},
		"no project":                  {`"job_id":"4711"`, "it has no claim project_id"},
		"a job id of 1000 digits":     {`"job_id":` + strings.Repeat("7", 1000), `its claim job_id is "` + strings.Repeat("7", 40) + `", but`},
		"claims of other letter case": {`"Job_ID":"4711","Project_ID":"12"`, "it has no claim job_id"},
	} {
		token, err := idtoken.Parse(sign(t, jose.ES256, "{"+test.claims+"}"))
		if err != nil {
			t.Errorf("%s: Parse: %v", name, err)
			continue
		}
		err = token.CheckJob(4711, 12)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

// TestCheckJobOfZeroToken: the zero Token belongs to no job.
func TestCheckJobOfZeroToken(t *testing.T) {
	t.Parallel()
	if err := (idtoken.Token{}).CheckJob(0, 0); err == nil || err.Error() != "it has no claim job_id" {
		t.Errorf("error %v, want that it has no claim", err)
	}
}
