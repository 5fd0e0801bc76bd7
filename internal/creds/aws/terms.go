package aws

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Terms are what is granted of AWS, and where. They are the Terms of a creds.Order.
type Terms struct {
	Role       Role     `json:"role_arn"`
	Policy     string   `json:"policy,omitempty"`      // session policy, JSON; empty: none
	PolicyARNs []string `json:"policy_arns,omitempty"` // managed session policies
	Region     string   `json:"region,omitempty"`      // region for the script; empty: the one that STS is asked in
	Server     Server   `json:"server,omitzero"`
}

// Server says where STS is and how to reach it. What is empty is taken from the
// process's environment, as the AWS SDKs read it.
type Server struct {
	Region   string `json:"region,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`  // URL
	Proxy    string `json:"proxy,omitempty"`     // URL
	CABundle []byte `json:"ca_bundle,omitempty"` // PEM
}

// Encode returns the terms as JSON, which ParseTerms reads.
func (t Terms) Encode() json.RawMessage {
	content, _ := json.Marshal(t) // texts and bytes are always JSON
	return content
}

// ParseTerms reads what Encode wrote. The error holds nothing of it.
func ParseTerms(content json.RawMessage) (Terms, error) {
	var t Terms
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil || decoder.More() {
		return Terms{}, errors.New("these are not the terms of AWS")
	}
	return t, nil
}
