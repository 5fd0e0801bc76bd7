package azure

import (
	"encoding/json"
	"errors"
	"strings"

	"rolecall/internal/creds"
)

const defaultAuthority = "https://login.microsoftonline.com"

// Terms are the terms of an order: what is granted, and where.
type Terms struct {
	Tenant       string `json:"tenant_id"` // of Entra ID
	Client       string `json:"client_id"` // an application or a managed identity
	Subscription string `json:"subscription_id,omitempty"`
	Authority    string `json:"authority_host"` // the URL of Entra ID, without a / at its end
	CABundle     []byte `json:"ca_bundle"`
	Probe        bool   `json:"probe,omitempty"` // whether the ID token is exchanged once before the job gets it
}

// Encode returns the terms of an order.
func (t Terms) Encode() json.RawMessage {
	encoded, _ := json.Marshal(t) // cannot fail: it has texts and a switch
	return encoded
}

// ParseTerms reads the terms of an order.
func ParseTerms(encoded json.RawMessage) (Terms, error) {
	var t Terms
	if err := json.Unmarshal(encoded, &t); err != nil || t.Client == "" {
		return Terms{}, errors.New("the terms of the order are not those of Azure")
	}
	return t, nil
}

// cloud is a cloud of Azure.
type cloud struct {
	scope       string // of the API that manages resources
	environment string // as Terraform names the cloud; empty: the one that it takes anyway
}

// cloud returns the cloud of the authority. An unknown one is like the public cloud.
//
// https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
// https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs#environment
func (t Terms) cloud() cloud {
	switch strings.TrimPrefix(t.Authority, "https://") {
	case "login.microsoftonline.us":
		return cloud{"https://management.usgovcloudapi.net/.default", "usgovernment"}
	case "login.chinacloudapi.cn", "login.partner.microsoftonline.cn":
		return cloud{"https://management.chinacloudapi.cn/.default", "china"}
	}
	return cloud{"https://management.azure.com/.default", ""}
}

// Scope returns what the ID token is exchanged for.
func (t Terms) Scope() string { return t.cloud().scope }

// The facts of a credential.
const (
	tenantFact       = "tenant_id"
	clientFact       = "client_id"
	subscriptionFact = "subscription_id"
	earlyFact        = "ends_early" // that the ID token ends before the job may
)

// facts returns what logs may show of the terms.
func (t Terms) facts() creds.Facts {
	facts := creds.Facts{{Name: tenantFact, Value: t.Tenant}, {Name: clientFact, Value: t.Client}}
	if t.Subscription != "" {
		facts = append(facts, creds.Fact{Name: subscriptionFact, Value: t.Subscription})
	}
	return facts
}
