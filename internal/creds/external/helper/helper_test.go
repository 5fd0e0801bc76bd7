package helper_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/external/helper"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// whole is a script that gives a credential, and revokes it.
const whole = `cat > "$1/asked"
env > "$1/env"
cat /proc/$$/cmdline | tr '\0' ' ' > "$1/args"
cut -d ' ' -f 6 /proc/$$/stat | sed "s/^$$\$/own/" > "$1/session"
case $(cat "$1/asked") in
*'"action":"revoke"'*) echo x >> "$1/revoked"; mv "$1/asked" "$1/asked-to-revoke" ;;
*) printf %s '{"version":1,"env":{"PASSWORD":"hunter2hunter2","USER_NAME":"me"},"files":{"KEY_FILE":{"name":"key.json","content":"{\"key\":\n1}"},
	"OTHER_FILE":{"name":"ca.pem","content":"CA"}},"plain":["USER_NAME","OTHER_FILE"],"expires":"2091-02-03T04:05:06Z","state":"lease/of-the-job"}' ;;
esac
`

// TestContract: a helper of our own gets what is known of the job on its standard input, and nothing
// in its arguments and environment. All that it gives is secret but what it calls plain.
func TestContract(t *testing.T) {
	h := newHelped(t, external.Rolecall, whole)
	h.service = []string{"https_proxy=http://p:1", "SSL_CERT_FILE=/ca", "VAULT_TOKEN=of-the-host", "HOME=/root"}
	c, err := h.issue(t)
	kit.Must(t, err)
	want := `PASSWORD=hunter2hunter2
USER_NAME=me
KEY_FILE db.key.json : {"key":
1}
OTHER_FILE db.ca.pem : CA
secret value of PASSWORD: hunter2hunter2
secret file of KEY_FILE: {"key":
1}
`
	if diff := cmp.Diff(want, shown(c)); diff != "" || c.String() != "exec db" || !c.Expires.Equal(time.Date(2091, 2, 3, 4, 5, 6, 0, time.UTC)) {
		t.Errorf("%v, %v, it gives:\n%s", c, c.Expires, diff)
	}
	kit.Must(t, creds.Set{c}.Check())
	if got := c.Facts.Get(external.VariablesFact); got != "KEY_FILE OTHER_FILE PASSWORD USER_NAME" || c.Facts.Get(external.HelperFact) != h.terms.Command[0] {
		t.Errorf("facts %v", c.Facts)
	}
	var asked map[string]any
	kit.Must(t, json.Unmarshal([]byte(h.read(t, "asked")), &asked))
	claims, _ := asked["claims"].(map[string]any)
	if claims["sub"] != "project_path:acme/deploy" || claims["project_path"] != "acme/deploy" {
		t.Errorf("claims %v", claims)
	}
	delete(asked, "claims")
	wantAsked := map[string]any{
		"version": 1.0, "action": "get", "tenant": "alpha", "source": "db", "id_token": token,
		"job": map[string]any{"id": "7", "project": "acme/deploy", "ref": "main", "protected": true, "environment": "", "pipeline": "9"},
	}
	if diff := cmp.Diff(wantAsked, asked); diff != "" {
		t.Errorf("it is asked:\n%s", diff)
	}
	env := strings.ReplaceAll(h.read(t, "env"), "PWD=/\n", "")
	for _, line := range []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "https_proxy=http://p:1", "SSL_CERT_FILE=/ca"} {
		if !strings.Contains("\n"+env, "\n"+line+"\n") {
			t.Errorf("no %s in the environment", line)
		}
		env = strings.Replace(env, line+"\n", "", 1)
	}
	if h.read(t, "session") != "own\n" {
		t.Errorf("it is in the session %s", h.read(t, "session"))
	}
	if strings.TrimPrefix(env, "_=/usr/bin/env\n") != "" || strings.Contains(h.read(t, "args")+h.read(t, "env"), token) {
		t.Errorf("arguments %q, environment %q", h.read(t, "args"), h.read(t, "env"))
	}
}

// TestRevoke: what has a state is held at once, and the helper gets the state back when the credential
// is revoked, but no token.
func TestRevoke(t *testing.T) {
	h := newHelped(t, external.Rolecall, whole)
	h.service = []string{"https_proxy=http://p:1"}
	_, err := h.issue(t)
	kit.Must(t, err)
	if len(h.held) != 1 || h.held[0].Provider != "exec" || h.held[0].Name != "db" || h.held[0].Until.Year() != 2091 {
		t.Fatalf("held %+v", h.held)
	}
	terms := h.held[0].Terms.Reveal()
	if strings.Contains(terms, token) {
		t.Errorf("the ID token is kept: %s", terms)
	}
	kit.Must(t, helper.Provider{}.Revoke(t.Context(), []byte(terms)))
	const want = `{"version":1,"action":"revoke","tenant":"alpha","source":"db","job":{"id":"7","project":"acme/deploy","ref":"main","protected":true,"environment":"","pipeline":"9"},"state":"lease/of-the-job"}`
	if got := strings.TrimSpace(h.read(t, "asked-to-revoke")); got != want || h.read(t, "revoked") != "x\n" {
		t.Errorf("it is asked %s, want %s", got, want)
	}
	if !strings.Contains(h.read(t, "env"), "https_proxy=http://p:1\n") {
		t.Errorf("environment %q", h.read(t, "env"))
	}
	for name, one := range map[string][]byte{"no JSON": []byte("x"), "nothing": []byte("{}")} {
		if err := (helper.Provider{}).Revoke(t.Context(), one); err == nil {
			t.Errorf("%s is revoked", name)
		}
	}
}

// TestRevokeFails: a helper that does not revoke is an error, which does not show the state.
func TestRevokeFails(t *testing.T) {
	for name, test := range map[string]struct {
		answer, want string
		code         fault.Code
	}{
		"later":     {"echo lease/of-the-job >&2; exit 2", "the helper has failed (exit code 2)", fault.NoSource},
		"says why":  {`echo '{"version":1,"error":{"class":"infrastructure","message":"no lease/of-the-job"}}'; exit 2`, "why=no [MASKED]", fault.NoSource},
		"helps":     {`echo '{"version":1,"error":{"class":"admin","message":"x","help":"free lease/of-the-job"}}'; exit 1`, "; free [MASKED]", fault.BadSource},
		"says ok":   {`echo '{"version":1}'`, "", ""},
		"says more": {`echo '{"version":2}'`, "its version is 2, want 1", fault.BadSource},
		"odd":       {`echo done`, "it is not a JSON object", fault.BadSource},
	} {
		h := newHelped(t, external.Rolecall, `if grep -q revoke; then `+test.answer+`; else echo '{"version":1,"env":{"PASSWORD":"hunter2hunter2"},"state":"lease/of-the-job"}'; fi`)
		_, err := h.issue(t)
		kit.Must(t, err)
		err = helper.Provider{}.Revoke(t.Context(), []byte(h.held[0].Terms.Reveal()))
		switch {
		case test.code == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case test.code != "" && (fault.CodeOf(err) != test.code || !strings.Contains(err.Error()+rows(err), test.want) || strings.Contains(err.Error()+rows(err), "of-the-job")):
			t.Errorf("%s: %v\n%s", name, err, rows(err))
		}
	}
}

// TestNotHeld: what cannot be revoked later is revoked at once, and the job does not get it. What is
// given with it and cannot be used is held all the same.
func TestNotHeld(t *testing.T) {
	h := newHelped(t, external.Rolecall, whole)
	h.noHold = true
	h.refused(t, "nobody holds", fault.Programs, "this program cannot have a credential revoked later")
	h.noHold, h.failing = false, errKept
	if _, err := h.issue(t); err == nil || !strings.Contains(err.Error(), "how a credential is revoked cannot be kept: no room") {
		t.Errorf("no room: %v", err)
	}
	if h.read(t, "revoked") != "x\nx\n" {
		t.Errorf("revoked: %q", h.read(t, "revoked"))
	}
	h.failing, h.held, h.terms.Sets = nil, nil, []string{"OTHER"}
	h.refused(t, "not asked for", fault.BadSource, "it gives KEY_FILE, which is not in sets of the source")
	if len(h.held) != 1 {
		t.Errorf("held %v", h.held)
	}
}

// TestAnswersRefused: an answer that is not what the contract says gives nothing, and no error holds
// a value of it.
func TestAnswersRefused(t *testing.T) {
	const bad = "the answer of the helper cannot be used: "
	env := func(pairs string) string { return `{"version":1,"env":{` + pairs + `}}` }
	files := func(name string) string {
		return `{"version":1,"files":{"KEY_FILE":{"name":"` + name + `","content":"hunter2hunter2"}}}`
	}
	for name, test := range map[string]struct{ answer, want string }{
		"nothing":              {"", bad + "it is empty"},
		"two documents":        {env(`"PASSWORD":"hunter2hunter2"`) + env(""), bad + "there is something after its JSON document"},
		"text after it":        {env(`"PASSWORD":"hunter2hunter2"`) + "hunter2hunter2", bad + "there is something after its JSON document"},
		"HTML":                 {"\n<html>hunter2hunter2</html>", bad + "it looks like HTML, and is not JSON"},
		"text":                 {"hunter2hunter2", bad + "it is not a JSON object in UTF-8"},
		"null":                 {"null", bad + "its version is 0, want 1"},
		"an array":             {"[]", bad + "it is not a JSON object"},
		"another version":      {`{"version":2,"env":{"PASSWORD":"hunter2hunter2"}}`, bad + "its version is 2, want 1"},
		"an unknown field":     {`{"version":1,"environ":{"PASSWORD":"hunter2hunter2"}}`, bad + `it has a field that the contract does not have: "environ"`},
		"a number":             {env(`"PASSWORD":12345678`), bad + "its field env is not of the kind"},
		"not UTF-8":            {env("\"PASSWORD\":\"hunter2hunter2\xff\""), bad + "it is not a JSON object in UTF-8"},
		"gives nothing":        {env(""), bad + "it gives nothing"},
		"a newline":            {env(`"PASSWORD":"hunter2\nhunter2"`), bad + "the value of PASSWORD has a line break"},
		"a NUL":                {env(`"PASSWORD":"hunter2\u0000hunter2"`), bad + "the value of PASSWORD has a control character"},
		"a short secret":       {env(`"PASSWORD":"hunter2"`), bad + "the value of PASSWORD has 7 bytes; a secret of less than 8 cannot be masked"},
		"an empty value":       {env(`"PASSWORD":""`), bad + "the value of PASSWORD has 0 bytes"},
		"a long value":         {env(`"PASSWORD":"` + strings.Repeat("x", 17<<10) + `"`), bad + "the value of PASSWORD has 17408 bytes"},
		"not in sets":          {env(`"OTHER":"hunter2hunter2"`), bad + "it gives OTHER, which is not in sets of the source"},
		"the loader's":         {env(`"LD_PRELOAD":"hunter2hunter2"`), bad + "it gives LD_PRELOAD, which is not in sets"},
		"in env and files":     {`{"version":1,"env":{"KEY_FILE":"hunter2hunter2"},"files":{"KEY_FILE":{"name":"x","content":"hunter2hunter2"}}}`, bad + "variable KEY_FILE occurs twice"},
		"a folder":             {files("../x"), bad + "the name of the file for KEY_FILE is malformed"},
		"no file name":         {files(""), bad + "the file for KEY_FILE has no name"},
		"an absolute path":     {files("/etc/x"), bad + "the name of the file for KEY_FILE is malformed"},
		"an odd name":          {files(`a\u0000`), bad + "the name of the file for KEY_FILE is malformed"},
		"a long name":          {files(strings.Repeat("x", 62)), bad + "the name of the file for KEY_FILE is malformed"},
		"one name twice":       {`{"version":1,"files":{"KEY_FILE":{"name":"x","content":"hunter2hunter2"},"OTHER_FILE":{"name":"x","content":"hunter2hunter2"}}}`, bad + "file db.x occurs twice"},
		"expired":              {`{"version":1,"env":{"PASSWORD":"hunter2hunter2"},"expires":"2001-02-03T04:05:06Z"}`, bad + "it expired at 2001-02-03T04:05:06Z"},
		"no time":              {`{"version":1,"env":{"PASSWORD":"hunter2hunter2"},"expires":"hunter2hunter2"}`, bad + "the time at which it expires is not in the form of RFC 3339"},
		"an error of no class": {`{"version":1,"error":{"class":"x","message":"hunter2hunter2"}}`, bad + `the class of its error is none of`},
	} {
		h := newHelped(t, external.Rolecall, "cat > /dev/null; cat <<'END'\n"+test.answer+"\nEND\n")
		err := h.refusal(t, name, fault.BadSource, test.want)
		if text := err.Error() + rows(err); strings.Contains(text, "hunter2") {
			t.Errorf("%s: the error shows a value: %s", name, text)
		}
	}
}
