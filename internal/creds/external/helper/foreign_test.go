package helper_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/creds/external"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// checked returns a source of a format with the variables that it sets.
func checked(t *testing.T, format external.Format, script string) *helped {
	t.Helper()
	h := newHelped(t, format, script)
	s := external.Settings{Format: format}
	h.terms.Sets, _ = s.Sets()
	h.terms.Input = "https://registry.example.com/v2"
	return h
}

// TestForeign: helpers that others have written need no wrapper, and get no ID token.
func TestForeign(t *testing.T) {
	auth := base64.StdEncoding.EncodeToString([]byte("me:hunter2hunter2"))
	for name, test := range map[string]struct {
		format       external.Format
		script, want string
		servers      []string
	}{
		"aws": {
			external.AWS, `[ -z "$(cat)" ] && echo '{"Version":1,"AccessKeyId":"AKIAEXAMPLE","SecretAccessKey":"hunter2hunter2","SessionToken":"sessionsession","Expiration":"2091-02-03T04:05:06Z","AccountId":"1"}'`,
			"AWS_ACCESS_KEY_ID=AKIAEXAMPLE\nAWS_SECRET_ACCESS_KEY=hunter2hunter2\nAWS_SESSION_TOKEN=sessionsession\n" +
				"secret AWS access key id: AKIAEXAMPLE\nsecret AWS secret access key: hunter2hunter2\nsecret AWS session token: sessionsession\n", nil,
		},
		"aws, no session": {
			external.AWS, `echo '{"Version":1,"AccessKeyId":"AKIAEXAMPLE","SecretAccessKey":"hunter2hunter2"}'`,
			"AWS_ACCESS_KEY_ID=AKIAEXAMPLE\nAWS_SECRET_ACCESS_KEY=hunter2hunter2\nsecret AWS access key id: AKIAEXAMPLE\nsecret AWS secret access key: hunter2hunter2\n", nil,
		},
		"docker": {
			external.Docker, `[ "$(cat)" = https://registry.example.com/v2 ] && echo '{"ServerURL":"x","Username":"me","Secret":"hunter2hunter2"}'`,
			`DOCKER_CONFIG db.docker config.json: {"auths":{"https://registry.example.com/v2":{"auth":"` + auth + "\"}}}\nsecret password of a registry: hunter2hunter2\nsecret login to a registry: " + auth + "\n", nil,
		},
		"docker, servers": {
			external.Docker, `echo '{"Username":"<token>","Secret":"hunter2hunter2"}'`,
			`DOCKER_CONFIG db.docker config.json: {"auths":{"a.example.com":{"identitytoken":"hunter2hunter2"},"b.example.com":{"identitytoken":"hunter2hunter2"}}}` + "\nsecret password of a registry: hunter2hunter2\n",
			[]string{"b.example.com", "a.example.com"},
		},
		"kubernetes": {
			external.Kubernetes, `case $KUBERNETES_EXEC_INFO in '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false}}')
echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"hunter2hunter2","expirationTimestamp":"2091-02-03T04:05:06Z"}}';; esac`,
			"KUBE_TOKEN=hunter2hunter2\nKUBE_TOKEN_FILE db.token : hunter2hunter2\nsecret token of Kubernetes: hunter2hunter2\n", nil,
		},
		"kubernetes, a certificate": {
			external.Kubernetes, `printf %s '{"apiVersion":"client.authentication.k8s.io/v1beta1","kind":"ExecCredential","status":{"clientCertificateData":"CERT","clientKeyData":"hunter2\nhunter2"}}'`,
			"KUBE_CLIENT_KEY_FILE db.key : hunter2\nhunter2\nKUBE_CLIENT_CERTIFICATE_FILE db.crt : CERT\nsecret client key of Kubernetes: hunter2\nhunter2\n", nil,
		},
	} {
		h := checked(t, test.format, test.script)
		h.terms.Servers = test.servers
		c, err := h.issue(t)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, rows(err))
			continue
		}
		if diff := cmp.Diff(test.want, shown(c)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
		kit.Must(t, creds.Set{c}.In(func(string) string { return "/x" }).Check())
		if timed := strings.Contains(test.script, "2091"); timed == c.Expires.IsZero() {
			t.Errorf("%s: expires %v", name, c.Expires)
		}
		if key := c.Facts.Get(audit.KeyFact); (key == "AKIAEXAMPLE") != (test.format == external.AWS) {
			t.Errorf("%s: the key is %q", name, key)
		}
		if test.format == external.Docker && !cmp.Equal(c.Folders, []creds.Folder{{Variable: "BUILDX_CONFIG", Path: ".docker/buildx"}}) {
			t.Errorf("%s: folders %v", name, c.Folders)
		}
	}
}

// TestForeignRefused: an answer of another form, or without what it needs, gives nothing.
func TestForeignRefused(t *testing.T) {
	kube := func(rest string) string {
		return `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential"` + rest + `}'`
	}
	for name, test := range map[string]struct {
		format       external.Format
		script, want string
		code         fault.Code
	}{
		"aws, a version":           {external.AWS, `echo '{"Version":2,"AccessKeyId":"AKIAEXAMPLE","SecretAccessKey":"hunter2hunter2"}'`, "its Version is 2, want 1", fault.BadSource},
		"aws, no key":              {external.AWS, `echo '{"Version":1,"AccessKeyId":"AKIAEXAMPLE"}'`, "the AWS secret access key has 0 bytes", fault.BadSource},
		"aws, expired":             {external.AWS, `echo '{"Version":1,"AccessKeyId":"AKIAEXAMPLE","SecretAccessKey":"hunter2hunter2","Expiration":"2001-02-03T04:05:06Z"}'`, "it expired at 2001", fault.BadSource},
		"aws, no time":             {external.AWS, `echo '{"Version":1,"AccessKeyId":"AKIAEXAMPLE","SecretAccessKey":"hunter2hunter2","Expiration":"soon"}'`, "RFC 3339", fault.BadSource},
		"aws, text":                {external.AWS, `echo hunter2hunter2`, "it is not a JSON object", fault.BadSource},
		"aws, a failure":           {external.AWS, `echo expired >&2; exit 255`, "it says=expired\n", fault.BadSource},
		"docker, a failure":        {external.Docker, `echo credentials not found in native keychain; exit 1`, "the helper has failed (exit code 1): credentials not found in native keychain", fault.BadSource},
		"docker, no user":          {external.Docker, `echo '{"Secret":"hunter2hunter2"}'`, "it has no Username", fault.BadSource},
		"docker, a short password": {external.Docker, `echo '{"Username":"me","Secret":"hunter2"}'`, "the password of a registry has 7 bytes", fault.BadSource},
		"docker, an array":         {external.Docker, `echo '[]'`, "it is not a JSON object", fault.BadSource},
		"kubernetes, nothing":      {external.Kubernetes, kube(""), "it gives nothing", fault.BadSource},
		"kubernetes, half":         {external.Kubernetes, kube(`,"status":{"clientKeyData":"hunter2hunter2"}`), "a client certificate and its key go together", fault.BadSource},
		"kubernetes, half a pair":  {external.Kubernetes, kube(`,"status":{"token":"hunter2hunter2","clientCertificateData":"hunter2hunter2"}`), "a client certificate and its key go together", fault.BadSource},
		"kubernetes, another kind": {external.Kubernetes, `echo '{"apiVersion":"v1","kind":"Secret","status":{"token":"hunter2hunter2"}}'`, "it is no ExecCredential", fault.BadSource},
		"kubernetes, a kind":       {external.Kubernetes, `echo '{"apiVersion":"client.authentication.k8s.io/v1","kind":"Secret","status":{"token":"hunter2hunter2"}}'`, "it is no ExecCredential", fault.BadSource},
		"kubernetes, later":        {external.Kubernetes, `exit 2`, "exit code 2", fault.NoSource},
		"kubernetes, no time":      {external.Kubernetes, kube(`,"status":{"token":"hunter2hunter2","expirationTimestamp":"soon"}`), "RFC 3339", fault.BadSource},
		"kubernetes, an array":     {external.Kubernetes, `echo '{"status":[]}'`, "its field ", fault.BadSource},
	} {
		err := checked(t, test.format, test.script).refusal(t, name, test.code, test.want)
		if strings.Contains(err.Error()+rows(err), "hunter2") {
			t.Errorf("%s: %v shows a value", name, err)
		}
	}
}
