// Package vault is the provider of what HashiCorp Vault and OpenBao give to a job that logs in by
// its ID token: how a policy file says it, and what is ordered then. Package client asks the server.
//
// https://developer.hashicorp.com/vault/docs/auth/jwt
// https://openbao.org/docs/auth/jwt/
package vault

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/source"
	"rolecall/internal/fault"
)

// Name is the name of the provider.
const Name = "vault"

// Variables that scripts get with token = true.
//
// https://developer.hashicorp.com/vault/docs/commands#configure-environment-variables
const (
	TokenVariable     = "VAULT_TOKEN"
	AddressVariable   = "VAULT_ADDR"
	NamespaceVariable = "VAULT_NAMESPACE"
	CAVariable        = "VAULT_CACERT"
)

// Provider is the provider, without the calls of the server.
type Provider struct{ source.Only }

// Name returns the provider's name.
func (Provider) Name() string { return Name }

// Terms are the terms of an order.
type Terms struct {
	Settings

	CA []byte `json:"ca,omitempty"` // the CA bundle, PEM; nil: the authorities that the host trusts
}

// Order returns the order of a source. A CA bundle that cannot be read is an error of a.ReadFile.
func (Provider) Order(a admission.Asker) (creds.Order, error) {
	s, ok := a.Settings.(Settings)
	if !ok {
		return creds.Order{}, errors.New("the settings of the source are not those of Vault")
	}
	ca, err := a.ReadFile("ca_bundle", s.CABundle)
	if err != nil {
		return creds.Order{}, err
	}
	if s.Token && len(ca) > creds.MaxFile {
		return creds.Order{}, fault.New(fault.BadPolicy, fmt.Errorf("source %q: ca_bundle is too large for a file of scripts", a.Source),
			"remove what is not an authority of the server from it")
	}
	content, _ := json.Marshal(Terms{s, ca}) // cannot fail: texts and bytes can always be encoded
	names, _ := s.Sets()
	order := creds.Order{Provider: Name, Lifetime: a.Response.Timeout, Terms: content, Sets: names, Facts: s.facts()}
	if s.Token {
		order.Wins = toolVariables()
	}
	return order, nil
}

// ParseTerms reads the terms of an order. The error holds no part of content.
func ParseTerms(content json.RawMessage) (Terms, error) {
	var t Terms
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil || decoder.More() {
		return Terms{}, errors.New("the terms of the order are not those of Vault")
	}
	return t, nil
}

// Facts of a credential.
const (
	ServerFact    = "server"
	RoleFact      = "vault_role"
	NamespaceFact = "namespace"
	VariablesFact = "variables"
)

// facts returns what logs may show of a source.
func (s Settings) facts() creds.Facts {
	names, _ := s.Sets()
	return creds.Facts{
		{Name: ServerFact, Value: s.Address},
		{Name: NamespaceFact, Value: s.Namespace},
		{Name: RoleFact, Value: s.Role + " of auth/" + s.AuthPath},
		{Name: VariablesFact, Value: strings.Join(names, " ")},
	}
}

// toolVariables returns the variables by which the tools of Vault and OpenBao would use another
// token, go to another server, trust it without a reason, or act in another namespace. Others, such
// as VAULT_FORMAT and a job's own VAULT_ID_TOKEN, change nothing of that.
//
// https://pkg.go.dev/github.com/hashicorp/vault/api#pkg-constants
func toolVariables() []string {
	var all []string
	for _, prefix := range []string{"VAULT_", "BAO_"} {
		for _, name := range []string{
			"TOKEN", "ADDR", "AGENT_ADDR", "NAMESPACE", "CACERT", "CACERT_BYTES", "CAPATH", "CLIENT_CERT", "CLIENT_KEY", "HEADERS",
			"SKIP_VERIFY", "TLS_SERVER_NAME", "SRV_LOOKUP", "HTTP_PROXY", "PROXY_ADDR", "CONFIG_PATH",
		} {
			all = append(all, prefix+name)
		}
	}
	return all
}
