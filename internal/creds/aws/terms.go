package aws

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Terms say which role AWS must grant, and how. They are the Terms of a creds.Order.
type Terms struct {
	Role       Role     `json:"role_arn"`
	ByJob      bool     `json:"by_job,omitempty"`      // the job has named the role, and not a policy file
	Policy     string   `json:"policy,omitempty"`      // session policy, JSON; empty: none
	PolicyARNs []string `json:"policy_arns,omitempty"` // managed session policies
	Region     string   `json:"region,omitempty"`      // region of scripts; empty: the region of STS
	Server     Server   `json:"server,omitzero"`
}

// Server says where STS is and how to reach it. The AWS SDK takes an empty field from
// the process's environment.
type Server struct {
	Region   string `json:"region,omitempty"`
	Endpoint string `json:"endpoint,omitempty"`  // URL
	Proxy    string `json:"proxy,omitempty"`     // URL
	CABundle []byte `json:"ca_bundle,omitempty"` // PEM
}

// Encode returns the terms as JSON, which ParseTerms reads.
func (t Terms) Encode() json.RawMessage {
	content, _ := json.Marshal(t) // cannot fail: texts and bytes can always be encoded
	return content
}

// ParseTerms reads what Encode has written. The error holds no part of content.
func ParseTerms(content json.RawMessage) (Terms, error) {
	var t Terms
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil || decoder.More() {
		return Terms{}, errors.New("the terms of the order are not those of AWS")
	}
	return t, nil
}
