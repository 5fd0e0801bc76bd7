package helper

import (
	"encoding/json"

	"rolecall/internal/creds/external"
	"rolecall/internal/idtoken"
)

// version is that of the contract.
const version = 1

// asked is what a helper of our own format reads. docs/sources.md describes it.
type asked struct {
	Version int             `json:"version"`
	Action  string          `json:"action"` // get or revoke
	Tenant  string          `json:"tenant"`
	Source  string          `json:"source"`
	Job     external.Job    `json:"job"`
	Claims  *idtoken.Claims `json:"claims,omitempty"`
	IDToken string          `json:"id_token,omitempty"`
	State   string          `json:"state,omitempty"`
}

// question returns what a helper reads that is asked for a credential. The ID token goes to no helper
// of another format, and is nowhere but here: arguments and environment of a process can be seen by
// others.
func question(t external.Terms, token idtoken.Token) []byte {
	switch t.Format {
	case external.Docker:
		return []byte(t.Input)
	case external.Rolecall:
		return encode(asked{Version: version, Action: "get", Tenant: t.Tenant, Source: t.Source, Job: t.Job, Claims: &token.Claims, IDToken: token.Raw.Reveal()})
	}
	return nil
}

// revocation returns what a helper reads that has to revoke what it gave.
func revocation(h held) []byte {
	return encode(asked{Version: version, Action: "revoke", Tenant: h.Tenant, Source: h.Source, Job: h.Job, State: h.State})
}

// encode returns a question as a line of JSON.
func encode(a asked) []byte {
	text, _ := json.Marshal(a) // cannot fail: texts can always be encoded
	return append(text, '\n')
}

// environ returns the environment of a helper: nothing of the service but proxies and certificates.
func environ(t external.Terms, service []string) []string {
	env := append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"}, service...)
	if t.Format == external.Kubernetes {
		env = append(env, `KUBERNETES_EXEC_INFO={"apiVersion":"`+execAPI+`","kind":"ExecCredential","spec":{"interactive":false}}`)
	}
	return env
}

// execAPI is the version of ExecCredential that helpers of Kubernetes are asked in.
//
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
const execAPI = "client.authentication.k8s.io/v1"
