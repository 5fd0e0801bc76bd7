package client

import (
	"context"
	"net/http"
	"strings"
	"time"

	"rolecall/internal/creds/server"
	"rolecall/internal/mask"
)

// maxToken bounds a token of Vault, in bytes. A batch token has all that it may do in it.
const maxToken = 8 << 10

// login is a login that Vault has allowed.
type login struct {
	token mask.Secret
	until time.Time // when the token ends
	batch bool      // the token cannot be revoked
}

// loginAnswer is the part of Vault's answer to a login that is read.
type loginAnswer struct {
	Auth *struct {
		Token    string `json:"client_token"`
		Accessor string `json:"accessor"`
		Type     string `json:"token_type"`
		Seconds  int64  `json:"lease_duration"`
		MFA      any    `json:"mfa_requirement"`
	} `json:"auth"`
}

// login logs in by the job's ID token.
func (c call) login(ctx context.Context) (login, error) {
	body := map[string]string{"role": c.terms.Role, "jwt": c.token.Raw.Reveal()}
	answer, err := c.ask(ctx, http.MethodPost, "auth/"+c.terms.AuthPath+"/login", "", server.JSON(body))
	if err != nil {
		return login{}, c.of(err)
	}
	if answer.Status != http.StatusOK {
		return login{}, c.refusedLogin(answer)
	}
	var said loginAnswer
	if decode(answer.Body, &said) != nil {
		return login{}, c.odd("its answer to the login is not that of Vault")
	}
	auth := said.Auth
	switch {
	case auth != nil && auth.MFA != nil && auth.Token == "":
		return login{}, c.badRole("the role asks for a second factor, which no job has")
	case auth == nil || len(auth.Token) < mask.MinLen || len(auth.Token) > maxToken || !printable(auth.Token):
		return login{}, c.odd("its answer to the login has no token")
	}
	in := login{token: mask.NewSecret(auth.Token), until: after(auth.Seconds), batch: auth.Type == "batch" || auth.Type == "" && auth.Accessor == ""}
	if auth.Seconds <= 0 {
		in.until = time.Time{}
	}
	return in, nil
}

// printable reports whether a text has characters of ASCII alone, without blanks.
func printable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// ask asks the server, with a token unless that is empty.
func (c call) ask(ctx context.Context, method, path, token string, body server.Body) (server.Answer, error) {
	return ask(ctx, c.server, c.terms.Namespace, server.Request{Method: method, Path: path, Body: body}, token)
}

// ask asks a server of Vault.
//
// https://developer.hashicorp.com/vault/api-docs#http-status-codes
func ask(ctx context.Context, s *server.Server, namespace string, r server.Request, token string) (server.Answer, error) {
	r.Path = "v1/" + r.Path
	r.Header = http.Header{"X-Vault-Request": {"true"}}
	if namespace != "" {
		r.Header.Set("X-Vault-Namespace", namespace)
	}
	if token != "" {
		r.Header.Set("X-Vault-Token", token)
	}
	r.Again = func(a server.Answer) bool {
		return a.Status == http.StatusPreconditionFailed || server.Passing(a.Status) && !sealed(a)
	}
	return s.Ask(ctx, r)
}
