// Package oauth exchanges an ID token at a token endpoint of OAuth, to learn whether it would be
// accepted. Of a refusal it keeps only what can hold no token: a server could send back the one
// that it was sent.
//
// https://www.rfc-editor.org/rfc/rfc6749#section-5
package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rolecall/internal/creds/server"
	"rolecall/internal/mask"
)

// Refusal is what a server has answered that gives no token.
type Refusal struct {
	Word    string    // the error code of OAuth, such as invalid_grant
	Number  int64     // the server's own code, as in AADSTS700213; 0: it has none
	Request string    // the server's id of the request; empty: it has none
	At      time.Time // the server's time; this host's if it has not said it
}

// answer is the answer of a token endpoint. The numbers and the id are of Entra ID.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
type answer struct {
	AccessToken string  `json:"access_token"`
	ExpiresIn   int64   `json:"expires_in"`
	Error       string  `json:"error"`
	ErrorCodes  []int64 `json:"error_codes"`
	Request     string  `json:"correlation_id"`
}

// Exchange sends a form to the token endpoint at path, and returns the access token that it gives,
// or the refusal. The error is that of the server, which has not answered as it should.
func Exchange(ctx context.Context, s *server.Server, path string, form url.Values) (mask.Secret, *Refusal, error) {
	a, err := s.Ask(ctx, server.Request{Method: http.MethodPost, Path: path, Body: server.Form(form)})
	if err != nil {
		return mask.Secret{}, nil, err
	}
	var got answer
	err = json.Unmarshal(a.Body, &got)
	switch {
	case a.Status/100 != 2 && a.Status/100 != 4, a.Status == http.StatusTooManyRequests:
		return mask.Secret{}, nil, Odd(s, a)
	case err != nil, a.Status/100 == 4 && got.Error == "", a.Status/100 == 2 && (got.AccessToken == "" || got.ExpiresIn <= 0):
		return mask.Secret{}, nil, Odd(s, a)
	case a.Status/100 == 4:
		return mask.Secret{}, refusal(a, got), nil
	}
	return mask.NewSecret(got.AccessToken), nil, nil
}

// Odd returns the error about an answer that a token endpoint does not give, or that may pass.
func Odd(s *server.Server, a server.Answer) error {
	return s.Unfit(a, fmt.Sprintf("its answer with HTTP status %d gives no token", a.Status), "look at the server, and at a proxy before it, if it lasts")
}

// refusal returns what may be known of a refusal.
func refusal(a server.Answer, got answer) *Refusal {
	r := &Refusal{Word: Word(got.Error), Request: id(got.Request), At: time.Now()}
	if len(got.ErrorCodes) > 0 {
		r.Number = got.ErrorCodes[0]
	}
	if skew, known := a.Skew(); known {
		r.At = r.At.Add(-skew)
	}
	return r
}

// id returns the id of a request, and nothing if it has not the form of one.
func id(text string) string {
	if word(text, "0123456789abcdefABCDEF-") != text {
		return ""
	}
	return text
}

// Word returns an error code of a server, and other words if it has not the form of one.
func Word(text string) string {
	return word(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
}

// word returns a text if it is short and has only those characters.
func word(text, of string) string {
	if len(text) > 64 || strings.Trim(text, of) != "" {
		return "(not printable)"
	}
	return text
}
