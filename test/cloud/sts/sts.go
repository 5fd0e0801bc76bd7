// Package sts stands in for AWS STS, as far as it exchanges ID tokens. It verifies a token by the
// keys of its issuer and judges the trust policy of the role; its answers and errors are those of
// STS. Package fakests is for answers that no real STS gives on demand.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
package sts

import (
	"context"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"rolecall/test/cloud/account"
	"rolecall/test/cloud/trust"
	"rolecall/test/issuer"
)

// Server is the STS of an account.
type Server struct {
	account *account.Account
	issuer  issuer.Issuer
}

// New returns the STS of an account.
func New(a *account.Account) *Server {
	algorithms := []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}
	return &Server{account: a, issuer: issuer.Issuer{URL: a.Issuer(), Algorithms: algorithms}}
}

// maxRequest bounds a request, in bytes.
const maxRequest = 64 << 10

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if err := r.ParseForm(); err != nil {
		write(w, http.StatusBadRequest, failure{"Sender", "MalformedInput", err.Error()}.body())
		return
	}
	answer, err := s.answer(r.Context(), r.PostForm)
	var refused refusal
	switch {
	case err == nil:
		write(w, http.StatusOK, answer)
	case errors.As(err, &refused):
		write(w, refused.status, failure{"Sender", refused.code, refused.text}.body())
	default:
		write(w, http.StatusInternalServerError, failure{"Receiver", "InternalFailure", err.Error()}.body())
	}
}

// answer exchanges an ID token.
func (s *Server) answer(ctx context.Context, form url.Values) (success, error) {
	ask, err := read(form)
	if err != nil {
		return success{}, err
	}
	c, tags, err := s.verify(ctx, ask.token)
	if err != nil {
		return success{}, err
	}
	role, err := s.roleFor(ask, c, tags)
	if err != nil {
		return success{}, err
	}
	session := s.account.Issue(role, ask.session, ask.duration)
	return s.success(session, c), nil
}

// sessionTags is the claim by which an issuer gives tags to a session.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
type sessionTags struct {
	Tags struct {
		Principal  map[string][]string `json:"principal_tags"`
		Transitive []string            `json:"transitive_tag_keys"`
	} `json:"https://aws.amazon.com/tags"`
}

// verify returns the claims of a token that the account takes.
func (s *Server) verify(ctx context.Context, raw string) (jwt.Claims, sessionTags, error) {
	var tags sessionTags
	c, err := s.issuer.Verify(ctx, raw, s.account.Now(), &tags)
	switch {
	case err != nil:
		return c, tags, refuse(c, err, s.account.Now())
	case len(c.Audience) == 0:
		return c, tags, refusal{http.StatusBadRequest, "InvalidIdentityToken", "Missing a required claim: aud"}
	case c.Subject == "":
		return c, tags, refusal{http.StatusBadRequest, "InvalidIdentityToken", "Missing a required claim: sub"}
	case !slices.ContainsFunc(s.account.Audiences(), c.Audience.Contains):
		return c, tags, refusal{http.StatusBadRequest, "InvalidIdentityToken", "Incorrect token audience"}
	}
	return c, tags, nil
}

// roleFor returns the role, if its trust policy lets the token have it.
func (s *Server) roleFor(ask request, c jwt.Claims, tags sessionTags) (account.Role, error) {
	role, ok := s.account.Role(ask.role)
	host := s.account.Host()
	wants := trust.Request{
		Provider: s.account.Provider(), Actions: []string{action},
		Keys: map[string][]string{host + ":aud": c.Audience, host + ":sub": {c.Subject}},
	}
	for key, values := range tags.Tags.Principal {
		wants.Keys["aws:RequestTag/"+key] = values
	}
	if len(tags.Tags.Principal) > 0 {
		wants.Actions = append(wants.Actions, "sts:TagSession")
	}
	if !ok || !role.Trust.Allows(wants) {
		return role, refusal{http.StatusForbidden, "AccessDenied", "Not authorized to perform " + action}
	}
	if ask.duration > role.Most {
		return role, invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return role, nil
}

// success returns the answer for a session.
func (s *Server) success(session account.Session, c jwt.Claims) success {
	name := session.Role.ARN[strings.LastIndexByte(session.Role.ARN, '/')+1:]
	arn, _, _ := strings.Cut(strings.Replace(session.Role.ARN, ":iam:", ":sts:", 1), ":role/")
	keys := session.Keys
	return success{
		XMLName: xml.Name{Space: namespace, Local: operation + "Response"},
		Subject: c.Subject, Audience: strings.Join(c.Audience, ","), Provider: s.account.Provider(),
		RoleARN: arn + ":assumed-role/" + name + "/" + session.Name, RoleID: "AROA" + keys.AccessKeyID[4:] + ":" + session.Name,
		KeyID: keys.AccessKeyID, Secret: keys.SecretAccessKey, Token: keys.SessionToken,
		Expires: keys.Expires.Format("2006-01-02T15:04:05Z"), RequestID: newID(),
	}
}
