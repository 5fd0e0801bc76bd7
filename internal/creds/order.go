package creds

import (
	"encoding/json"
	"time"
)

// Order says what a job is to get of a provider. With the job's ID token it is all
// that the provider needs, and JSON keeps it whole: the same can be issued again
// without another decision. Keep it as closely as a secret, since the terms may hold
// the password of a proxy.
type Order struct {
	Provider string          `json:"provider"`           // such as aws
	Session  string          `json:"session"`            // what the provider's own log knows the job by
	Lifetime time.Duration   `json:"lifetime,omitempty"` // how long the job may run, in nanoseconds; 0: not known
	Limit    time.Duration   `json:"limit,omitempty"`    // the longest that credentials may last; 0: none
	Terms    json.RawMessage `json:"terms"`              // what is granted and where, in the provider's own form
	Facts    Facts           `json:"facts,omitempty"`    // what logs may show of the terms
}
