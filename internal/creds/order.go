package creds

import (
	"encoding/json"
	"strings"
	"time"

	"rolecall/internal/mask"
)

// Order says what a provider must issue to a job. Order and ID token are all that the
// provider needs. An Order survives JSON unchanged, so the same credential can be issued
// again without another decision. Protect it as a secret: its terms may hold the password
// of a proxy.
type Order struct {
	Provider string          `json:"provider"`           // such as aws
	Name     string          `json:"name,omitempty"`     // that of the credential; empty: the tenant's own
	IDToken  string          `json:"id_token,omitempty"` // name of the variable of the ID token that pays; empty: the tenant's
	Session  string          `json:"session"`            // name of the job in the provider's own log
	Lifetime time.Duration   `json:"lifetime,omitempty"` // how long the job may run; in JSON nanoseconds; 0: not known
	Limit    time.Duration   `json:"limit,omitempty"`    // how long credentials may be valid at most; 0: no limit
	Served   bool            `json:"served,omitempty"`   // an endpoint gives the credential to scripts, and renews it
	Renew    time.Duration   `json:"renew,omitempty"`    // how long before its end an endpoint renews the credential; 0: half of its life, or 15 minutes if that is more
	Terms    json.RawMessage `json:"terms"`              // what is granted and where, in the provider's own format
	Facts    Facts           `json:"facts,omitempty"`    // what logs may show about the terms
	Sets     []string        `json:"sets,omitempty"`     // names of the variables that the credential brings, as far as they are not the provider's own
	Wins     []string        `json:"wins,omitempty"`     // names of variables that would win over the credential; A_* is all that begin with A_
	For      string          `json:"for,omitempty"`      // a provider in whose place this one gives a credential, such as aws; empty: none
	Notes    []string        `json:"notes,omitempty"`    // what the job's author must know about the terms, without secrets
	Tools    []ToolText      `json:"-"`                  // what the provider's tools must find in their files

	// Hold keeps how the credential is revoked when the job ends. A provider whose server
	// forgets nothing calls it as soon as there is something to revoke, even if Issue fails
	// later. Nil: nobody would revoke it.
	Hold func(Handle) error `json:"-"`
	// Service is the environment of the runner's service, for a provider that starts programs.
	Service []string `json:"-"`
}

// Handle is how what was issued is revoked. It never prints its terms.
type Handle struct {
	Provider string      // such as vault
	Name     string      // of the credential
	Terms    mask.Secret // in the provider's own format, JSON
	Until    time.Time   // when what was issued expires, revoked or not; zero: not known
}

// Covers reports whether pattern, a name of a variable or its beginning and a *, is or begins
// the name.
func Covers(pattern, name string) bool {
	begin, all := strings.CutSuffix(pattern, "*")
	return all && strings.HasPrefix(name, begin) || pattern == name
}
