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
	Policy     string   `json:"policy,omitempty"`      // session policy of what the job gets, JSON; empty: none
	PolicyARNs []string `json:"policy_arns,omitempty"` // managed session policies, of the same
	Region     string   `json:"region,omitempty"`      // region of scripts; empty: the region of STS
	Server     Server   `json:"server,omitzero"`
	Chain      []Hop    `json:"chain,omitempty"`    // the roles after Role; the job gets a session of the last
	Endpoint   bool     `json:"endpoint,omitempty"` // an endpoint gives the credential to scripts, and not their environment
}

// Final returns the role whose session the job gets.
func (t Terms) Final() Role {
	if len(t.Chain) > 0 {
		return t.Chain[len(t.Chain)-1].Role
	}
	return t.Role
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
