package creds

import (
	"slices"
	"time"

	"rolecall/internal/mask"
)

// Served is how an endpoint of the job gives a credential to scripts, which then find no
// secret of it in their environment.
type Served struct {
	Answer mask.Secret // the endpoint's answer, JSON
	URL    string      // name of the variable for the URL of the credential; empty: scripts have no such variable
	Token  string      // name of the variable for the token of the endpoint, if there is one for the URL
	Since  time.Time   // when the credential was issued
}

// TokenKind is the kind of the secret that an endpoint wants to see.
const TokenKind = "token of the endpoint"

// At returns a copy of a served credential for scripts whose endpoint is at url and wants the
// token. The credential has neither what an earlier endpoint has left in it, nor the paths of
// files, which Set.In adds.
func (c Credential) At(url string, token mask.Secret) Credential {
	c.Env = slices.DeleteFunc(slices.Clone(c.Env), func(v Variable) bool {
		ofFile := func(f File) bool { return slices.Contains(f.Variables, v.Name) }
		return v.Name == c.Served.URL || v.Name == c.Served.Token || slices.ContainsFunc(c.Files, ofFile)
	})
	if c.Served.URL != "" {
		c.Env = append(c.Env, Variable{c.Served.URL, mask.NewSecret(url)}, Variable{c.Served.Token, token})
	}
	c.Secrets = slices.DeleteFunc(slices.Clone(c.Secrets), func(s mask.Named) bool { return s.Kind == TokenKind })
	c.Secrets = append(c.Secrets, mask.Named{Kind: TokenKind, Value: token})
	return c
}
