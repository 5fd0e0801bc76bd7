package idtoken_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"rolecall/internal/idtoken"
	"rolecall/test/kit"
)

// TestClaims: each claim of a token is in its field.
func TestClaims(t *testing.T) {
	t.Parallel()
	token, err := idtoken.Parse(sign(t, jose.RS256, `{"iss":"https://gitlab.example.com","sub":"s","aud":["a","b"],
		"exp":1700003600,"nbf":1699999995,"iat":1700000000,"jti":"uuid","job_id":"4711","project_id":"99","job_project_id":"12",
		"project_path":"fork/p","job_project_path":"g/p","ref":"main","ref_type":"branch","ref_protected":"true","environment":"alpha",
		"user_login":"ann","user_id":"5","pipeline_id":"34","runner_id":7,"sha":null,"groups_direct":["g",{"x":1}]}`))
	kit.Must(t, err)
	want := idtoken.Claims{
		Issuer: "https://gitlab.example.com", Subject: "s", Audience: idtoken.Audience{"a", "b"},
		Expiry: 1700003600, NotBefore: 1699999995, IssuedAt: 1700000000, ID: "uuid",
		JobID: "4711", ProjectID: "99", JobProjectID: "12", ProjectPath: "fork/p", JobProjectPath: "g/p",
		Ref: "main", RefType: "branch", RefProtected: "true", Environment: "alpha",
		UserLogin: "ann", UserID: "5", PipelineID: "34", RunnerID: "7",
	}
	if diff := cmp.Diff(want, token.Claims); diff != "" {
		t.Error(diff)
	}
}

// TestClaimsOfOtherForm: a claim in a form that GitLab does not write is refused with
// its name.
func TestClaimsOfOtherForm(t *testing.T) {
	t.Parallel()
	for claims, want := range map[string]string{
		`"exp":"1700000000"`:             "exp",
		`"exp":1700000000.5`:             "exp",
		`"exp":1.7e9`:                    "exp",
		`"exp":99999999999999999999`:     "exp",
		`"exp":[1]`:                      "exp",
		`"exp":true`:                     "exp",
		`"nbf":"1"`:                      "nbf",
		`"iat":{}`:                       "iat",
		`"sub":"x","iss":["x"]`:          "iss",
		`"aud":null`:                     "aud",
		`"aud":{}`:                       "aud",
		`"aud":["a",1]`:                  "aud",
		`"aud":["a",null]`:               "aud",
		`"aud":[["a"]]`:                  "aud",
		`"ref_protected":true`:           "ref_protected",
		`"ref_protected":1`:              "ref_protected",
		`"project_path":["g/p"]`:         "project_path",
		`"job_id":"4711 "`:               "job_id",
		`"job_id":""`:                    "job_id",
		`"runner_id":[7]`:                "runner_id",
		`"environment":{"name":"alpha"}`: "environment",
	} {
		_, err := idtoken.Parse(sign(t, jose.ES256, "{"+claims+"}"))
		if err == nil || err.Error() != noClaims+": "+want+" has the wrong form" {
			t.Errorf("%s: error %v, want that %s has the wrong form", claims, err, want)
		}
	}
}

// TestDuplicateMembers: no object in a token may have a member twice, at any depth and
// in any spelling. Readers disagree on which of the two they use.
func TestDuplicateMembers(t *testing.T) {
	t.Parallel()
	for _, object := range []string{
		`{"alg":"RS256","a":1,"a":1}`,
		`{"alg":"RS256","a":{"b":1,"b":2}}`,
		`{"alg":"RS256","a":[0,{"b":{"c":1,"\u0063":2}}]}`,
		`{"alg":"RS256","user_identities":[{"provider":"x"},{"provider":"x","provider":"y"}]}`,
	} {
		if _, err := idtoken.Parse(unsigned(object, payload)); err == nil || err.Error() != noToken {
			t.Errorf("header %s: error %v", object, err)
		}
		if _, err := idtoken.Parse(unsigned(`{"alg":"RS256"}`, object)); err == nil || err.Error() != noClaims {
			t.Errorf("payload %s: error %v", object, err)
		}
	}
}

// TestHeaderOfItsOwn: a token cannot bring a key, the address of a key, or another
// rule.
func TestHeaderOfItsOwn(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{
		"jwk": `{"kty":"oct","k":"AA"}`, "jku": `"https://evil.example"`, "x5u": `"https://evil.example"`,
		"x5c": `[]`, "crit": `["exp"]`, "b64": `false`, "nonce": `"x"`,
	} {
		for _, v := range []string{value, "null"} {
			_, err := idtoken.Parse(unsigned(`{"alg":"RS256","`+name+`":`+v+`}`, payload))
			if err == nil || err.Error() != "its header has "+name+"; GitLab's ID tokens do not" {
				t.Errorf("%s: error %v", name, err)
			}
		}
	}
	for _, header := range []string{`{"alg":"RS256","typ":"JWT","kid":"x"}`, `{"alg":"ES256","kid":null}`, `{"alg":"RS256","x5t":"x"}`} {
		if _, err := idtoken.Parse(unsigned(header, payload)); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
}

// TestFormIsExact: other spellings of the same token are refused.
func TestFormIsExact(t *testing.T) {
	t.Parallel()
	good := unsigned(`{"alg":"RS256"}`, `{"job_id":"1"}`)
	if _, err := idtoken.Parse(good); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	for name, raw := range map[string]string{
		"no signature":           parts[0] + "." + parts[1] + ".",
		"payload is empty":       parts[0] + ".." + parts[2],
		"no header":              "." + parts[1] + "." + parts[2],
		"padding":                good + "=",
		"other alphabet":         parts[0] + "." + parts[1] + ".a+/a",
		"bits beyond the end":    parts[0] + "." + parts[1] + ".AB",
		"header of null":         unsigned("null", payload),
		"header of a text":       unsigned(`"RS256"`, payload),
		"header with a rest":     unsigned(`{"alg":"RS256"}{}`, payload),
		"alg is an array":        unsigned(`{"alg":["RS256"]}`, payload),
		"alg is an object":       unsigned(`{"alg":{"RS256":1}}`, payload),
		"Alg":                    unsigned(`{"Alg":"RS256"}`, payload),
		"kid is a number":        unsigned(`{"alg":"RS256","kid":1}`, payload),
		"header is not UTF-8":    unsigned("{\"alg\":\"RS256\",\"kid\":\"\xff\"}", payload),
		"payload is not UTF-8":   unsigned(`{"alg":"RS256"}`, "{\"ref\":\"\xff\"}"),
		"payload of null":        unsigned(`{"alg":"RS256"}`, "null"),
		"payload with a rest":    unsigned(`{"alg":"RS256"}`, "{} {}"),
		"payload without an end": unsigned(`{"alg":"RS256"}`, `{"a":1`),
		"payload of brackets":    unsigned(`{"alg":"RS256"}`, strings.Repeat(`{"a":`, 2000)),
	} {
		want := noToken
		if strings.HasPrefix(name, "payload") && name != "payload is not UTF-8" {
			want = noClaims
		}
		if _, err := idtoken.Parse(raw); err == nil || err.Error() != want {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
	}
}

// TestAudience: a single audience may be a text instead of a list.
func TestAudience(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]idtoken.Audience{`"a"`: {"a"}, `[]`: {}, `["a","b"]`: {"a", "b"}} {
		var got idtoken.Audience
		if err := json.Unmarshal([]byte(text), &got); err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
}
