package gcp

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"rolecall/internal/creds"
)

const (
	defaultUniverse = "googleapis.com"
	tokenPath       = "/token"      // at the end of the URL of the Security Token Service
	infoPath        = "/introspect" // of the same service, which gcloud asks for the name of an identity
)

// Terms are the terms of an order: what is granted, and where.
type Terms struct {
	Pool     string        `json:"workload_identity_provider"` // projects/.../providers/NAME
	Account  string        `json:"service_account,omitempty"`  // that the job becomes; empty: the pool's own principal
	Lifetime time.Duration `json:"lifetime,omitempty"`         // of the account's tokens; 0: Google's default
	Project  string        `json:"project,omitempty"`          // of scripts
	Universe string        `json:"universe_domain"`
	TokenURL string        `json:"token_url"` // of the Security Token Service
	IAMURL   string        `json:"iam_url"`   // of the service that gives tokens of accounts, without a / at its end
	CABundle []byte        `json:"ca_bundle"`
	Probe    bool          `json:"probe,omitempty"` // whether the ID token is exchanged once before the job gets it
}

// Encode returns the terms of an order.
func (t Terms) Encode() json.RawMessage {
	encoded, _ := json.Marshal(t) // cannot fail: it has texts, numbers and a switch
	return encoded
}

// ParseTerms reads the terms of an order.
func ParseTerms(encoded json.RawMessage) (Terms, error) {
	var t Terms
	if err := json.Unmarshal(encoded, &t); err != nil || t.Pool == "" {
		return Terms{}, errors.New("the terms of the order are not those of Google Cloud")
	}
	return t, nil
}

// Audience returns the name of the provider of the pool as the Security Token Service wants it.
func (t Terms) Audience() string { return "//iam." + t.Universe + "/" + t.Pool }

// TokenAudience returns the audience of ID tokens that a provider of a pool takes if it names no
// others.
//
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers#oidc
func (t Terms) TokenAudience() string { return "https:" + t.Audience() }

// ImpersonationURL returns where a token of the service account is asked for, and nothing if the
// job becomes none.
//
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
func (t Terms) ImpersonationURL() string {
	if t.Account == "" {
		return ""
	}
	return t.IAMURL + "/v1/projects/-/serviceAccounts/" + t.Account + ":generateAccessToken"
}

// infoURL returns where gcloud asks for the name of an identity; nothing for Google's own server.
func (t Terms) infoURL() string {
	if t.TokenURL == "https://sts."+defaultUniverse+"/v1"+tokenPath {
		return ""
	}
	return strings.TrimSuffix(t.TokenURL, tokenPath) + infoPath
}

// The facts of a credential.
const (
	poolFact    = "workload_identity_provider"
	accountFact = "service_account"
	projectFact = "project"
	earlyFact   = "ends_early" // that the ID token ends before the job may
)

// facts returns what logs may show of the terms.
func (t Terms) facts() creds.Facts {
	facts := creds.Facts{{Name: poolFact, Value: t.Pool}}
	for _, f := range []creds.Fact{{Name: accountFact, Value: t.Account}, {Name: projectFact, Value: t.Project}} {
		if f.Value != "" {
			facts = append(facts, f)
		}
	}
	return facts
}
