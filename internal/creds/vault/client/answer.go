package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"rolecall/internal/creds/server"
)

// said is what Vault says about a request that it refuses. Nothing of it is printed.
type said struct {
	Errors   []string `json:"errors"`
	Warnings []string `json:"warnings"`
}

// textOf returns what an answer says, in lower case, and empty for one that is not Vault's.
func textOf(a server.Answer) string {
	var s said
	if decode(a.Body, &s) != nil {
		return ""
	}
	return strings.ToLower(strings.Join(append(s.Errors, s.Warnings...), "\n"))
}

// sealed reports whether a server says that it is sealed: somebody must unseal it.
func sealed(a server.Answer) bool {
	return a.Status == http.StatusServiceUnavailable && strings.Contains(textOf(a), "sealed")
}

// isVault reports whether an answer is JSON, as all answers of Vault are that have a body.
func isVault(a server.Answer) bool { return json.Valid(a.Body) }

// decode reads an answer, which must be one JSON value. Numbers keep the form that they have.
func decode(content []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after it")
	}
	return nil
}

// secret is the part of the answer to a read that is used.
type secret struct {
	Lease   string         `json:"lease_id"`
	Seconds int64          `json:"lease_duration"` // without a lease only a hint of when to read again
	Data    map[string]any `json:"data"`
}

// fields returns the fields of a secret. Version 2 of the store of keys and values has them a level
// deeper than all else, beside what it knows of the version.
//
// https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2#read-secret-version
func (s secret) fields() map[string]any {
	inner, isData := s.Data["data"].(map[string]any)
	about, _ := s.Data["metadata"].(map[string]any) // nil has no version
	_, hasVersion := about["version"]
	if isData && hasVersion && len(s.Data) == 2 {
		return inner
	}
	return s.Data
}
