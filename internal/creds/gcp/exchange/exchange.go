// Package exchange is the provider of Google Cloud with its servers: before a job gets its files,
// its ID token is exchanged once, so that what Google refuses fails in the prepare stage.
package exchange

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/gcp"
	"rolecall/internal/creds/oauth"
	"rolecall/internal/creds/server"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
)

// scope is asked for: the other APIs' scopes are parts of it.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// Provider is Google Cloud.
type Provider struct{ gcp.Provider }

// Issue returns the credential of an order. Unless its terms say otherwise, it exchanges the ID
// token once, as scripts will, and throws the access token away.
func (Provider) Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	terms, err := gcp.ParseTerms(o.Terms)
	if err == nil && terms.Probe {
		ctx, cancel := context.WithTimeout(ctx, server.Deadline)
		defer cancel()
		err = probe{terms, token}.exchange(ctx)
	}
	if err != nil {
		return creds.Credential{}, err
	}
	return gcp.Give(o, terms, token), nil
}

// probe is an exchange of a token.
type probe struct {
	gcp.Terms
	token idtoken.Token
}

// exchange exchanges the token for one of the pool, and that for one of the service account.
//
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
func (p probe) exchange(ctx context.Context) error {
	base, path := p.TokenURL[:strings.LastIndexByte(p.TokenURL, '/')], p.TokenURL[strings.LastIndexByte(p.TokenURL, '/'):]
	s, err := server.New(base, p.CABundle)
	if err != nil {
		return err
	}
	defer s.Close()
	access, refused, err := oauth.Exchange(ctx, s, path, url.Values{
		"grant_type":           {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"audience":             {p.Audience()},
		"scope":                {scope},
		"subject_token_type":   {gcp.JWTType},
		"subject_token":        {p.token.Raw.Reveal()},
	})
	switch {
	case err != nil:
		return p.at(err)
	case refused != nil:
		return p.refused(refused)
	case p.Account != "":
		return p.impersonate(ctx, access)
	}
	return nil
}

// generate is what is asked of a service account.
//
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
type generate struct {
	Scope    []string `json:"scope"`
	Lifetime string   `json:"lifetime,omitempty"`
}

// generated is the answer, or the error in its place.
type generated struct {
	AccessToken string `json:"accessToken"`
	Error       struct {
		Status string `json:"status"`
	} `json:"error"`
}

// impersonate asks for a token of the service account by one of the pool.
func (p probe) impersonate(ctx context.Context, access mask.Secret) error {
	s, err := server.New(p.IAMURL, p.CABundle)
	if err != nil {
		return err
	}
	defer s.Close()
	ask := generate{Scope: []string{scope}}
	if p.Lifetime > 0 {
		ask.Lifetime = fmt.Sprintf("%ds", p.Lifetime/time.Second)
	}
	a, err := s.Ask(ctx, server.Request{
		Method: http.MethodPost, Path: strings.TrimPrefix(p.ImpersonationURL(), p.IAMURL), Body: server.JSON(ask),
		Header: http.Header{"Authorization": {"Bearer " + access.Reveal()}},
	})
	if err != nil {
		return p.at(err)
	}
	var got generated
	err = json.Unmarshal(a.Body, &got)
	switch {
	case err == nil && a.Status == http.StatusOK && got.AccessToken != "":
		return nil
	case err == nil && a.Status/100 == 4 && a.Status != http.StatusTooManyRequests && got.Error.Status != "":
		return p.notBecome(oauth.Word(got.Error.Status))
	}
	return p.at(oauth.Odd(s, a))
}
