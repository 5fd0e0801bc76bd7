package lab

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// VaultError is an answer of Vault that is no success.
type VaultError struct {
	Status int
	Errors []string
}

// Error returns the status and the texts.
func (e *VaultError) Error() string {
	return fmt.Sprintf("Vault answers %d: %s", e.Status, strings.Join(e.Errors, "; "))
}

// VaultSecret is what Vault answers to a read or a login. Data of KV version 2 is one level
// deeper, in "data".
type VaultSecret struct {
	LeaseID       string         `json:"lease_id"`
	LeaseDuration int            `json:"lease_duration"`
	Data          map[string]any `json:"data"`
	Auth          struct {
		Token    string `json:"client_token"`
		Accessor string `json:"accessor"`
	} `json:"auth"`
}

// VaultRequest is a request to Vault's API.
//
// https://developer.hashicorp.com/vault/api-docs
type VaultRequest struct {
	Method string // "": POST
	Path   string // below /v1/
	Token  string // "": none
	Body   any    // becomes JSON
}

// Ask sends a request, and reads the answer into answer, unless that is nil. A refusal is a
// *VaultError.
func (v *Vault) Ask(ctx context.Context, r VaultRequest, answer any) error {
	encoded, err := json.Marshal(r.Body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, cmp.Or(r.Method, http.MethodPost), v.URL+"/v1/"+r.Path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	if r.Token != "" {
		request.Header.Set("X-Vault-Token", r.Token)
	}
	response, err := v.client.Do(request)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	return understand(response.StatusCode, text, answer)
}

// understand reads an answer.
func understand(status int, text []byte, answer any) error {
	if status >= http.StatusMultipleChoices {
		refusal := &VaultError{Status: status}
		_ = json.Unmarshal(text, refusal) // no texts are as good
		return refusal
	}
	if answer == nil || len(text) == 0 {
		return nil
	}
	return json.Unmarshal(text, answer)
}

// Login logs in at auth/jwt with an ID token, and returns the token of that login.
func (v *Vault) Login(ctx context.Context, role, idToken string) (VaultSecret, error) {
	var login VaultSecret
	err := v.Ask(ctx, VaultRequest{Path: "auth/jwt/login", Body: map[string]string{"role": role, "jwt": idToken}}, &login)
	return login, err
}

// Read reads a path with a token.
func (v *Vault) Read(ctx context.Context, token, path string) (VaultSecret, error) {
	var secret VaultSecret
	err := v.Ask(ctx, VaultRequest{Method: http.MethodGet, Path: path, Token: token}, &secret)
	return secret, err
}

// Write writes to a path.
func (v *Vault) Write(ctx context.Context, path string, body any) error {
	return v.Ask(ctx, VaultRequest{Path: path, Token: v.root, Body: body}, nil)
}

// Leases returns the ids of the leases below a path, such as database/creds/reader.
func (v *Vault) Leases(ctx context.Context, path string) ([]string, error) {
	return v.list(ctx, "sys/leases/lookup/"+path)
}

// Tokens returns the accessors of all tokens that live, the root token's among them.
func (v *Vault) Tokens(ctx context.Context) ([]string, error) {
	return v.list(ctx, "auth/token/accessors")
}

// list returns the names at a path. A path that has none does not exist.
func (v *Vault) list(ctx context.Context, path string) ([]string, error) {
	var found struct {
		Data struct {
			Keys []string `json:"keys"`
		} `json:"data"`
	}
	err := v.Ask(ctx, VaultRequest{Method: "LIST", Path: path, Token: v.root}, &found)
	if isStatus(err, http.StatusNotFound) {
		return nil, nil
	}
	return found.Data.Keys, err
}

// Lives reports whether a token has neither expired nor been revoked.
func (v *Vault) Lives(ctx context.Context, token string) (bool, error) {
	err := v.Write(ctx, "auth/token/lookup", map[string]string{"token": token})
	if isStatus(err, http.StatusForbidden) {
		return false, nil
	}
	return err == nil, err
}

// isStatus reports whether an error is an answer of Vault with that status.
func isStatus(err error, status int) bool {
	var refusal *VaultError
	return errors.As(err, &refusal) && refusal.Status == status
}
