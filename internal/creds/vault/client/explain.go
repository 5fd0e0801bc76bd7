package client

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"rolecall/internal/creds/server"
	"rolecall/internal/creds/vault"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/message"
	"rolecall/internal/tenant"
)

// maxFields bounds how many fields of an answer an error names, and maxField the length of a name.
const (
	maxFields = 8
	maxField  = 24
)

// refusedLogin returns the error about a login that Vault has refused. What it says decides, and
// is not printed: a hostile server could send back the token.
//
// https://github.com/hashicorp/vault-plugin-auth-jwt/blob/main/path_login.go
// https://github.com/hashicorp/cap/blob/main/jwt/jwt.go
func (c call) refusedLogin(a server.Answer) *fault.Error {
	text := textOf(a)
	says := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
	}
	switch {
	case c.isDown(a):
		return c.down(a)
	case a.Status == http.StatusForbidden || a.Status == http.StatusNotFound:
		return c.owned(fault.New(fault.SourceDenied, errors.New("no login is allowed at the path of the source in Vault"),
			"Vault answers so where auth_path or namespace of the source does not exist; look by: vault auth list"))
	case a.Status != http.StatusBadRequest || !isVault(a):
		return c.odd(fmt.Sprintf("it answers the login with HTTP status %d", a.Status))
	case says("could not be found", "missing role", "oidc role_type"):
		return c.badRole("the auth method has no such role for ID tokens")
	case says("token is expired"):
		return c.with(fault.New(fault.ForeignToken, errors.New("the ID token has expired, as Vault sees it"), "the ID token is valid for the job's timeout; run the job again").Detail("clock", skew(a)))
	case says("not yet valid", "issued in the future"):
		return c.with(fault.New(fault.Clock, errors.New("the ID token is one of the future, as Vault sees it"), "check NTP on the server of Vault and on that of GitLab").Detail("clock", skew(a)))
	case says("fetching keys", "oidc discovery", "error configuring token validator", "could not load configuration"):
		return c.with(c.server.Unfit(a, "Vault could not read the keys of the token's issuer", "Vault must be able to reach the issuer; look by: vault read auth/"+c.terms.AuthPath+"/config"))
	}
	return c.judged(text, says)
}

// judged returns the error about a token that Vault has looked at.
func (c call) judged(text string, says func(...string) bool) *fault.Error {
	role := "vault read auth/" + c.terms.AuthPath + "/role/" + c.terms.Role
	switch {
	case says("audience"):
		return c.rejected("bound_audiences of the role must have the aud of the job; look by: " + role)
	case says("issuer (iss)"):
		return c.rejected("bound_issuer of the auth method must be the iss of the job; look by: vault read auth/" + c.terms.AuthPath + "/config")
	case says("claim"):
		return c.denied(claimIn(text), role)
	case says("signature", "malformed", "signed", "algorithm"):
		return c.rejected("the auth method must know the keys of the token's issuer; look by: vault read auth/" + c.terms.AuthPath + "/config")
	}
	return c.rejected("look at the role and at the log of Vault: " + role)
}

// rejected returns the error that Vault does not accept the ID token.
func (c call) rejected(next string) *fault.Error {
	return c.owned(fault.New(fault.SourceRejected, errors.New("the ID token of this job is not accepted by Vault"), next)).With("this job", c.claims(""))
}

// denied returns the error that a claim of the job is not one that the role allows. An empty claim
// is not known.
func (c call) denied(claim, role string) *fault.Error {
	next := "the bound claims of the role must allow the job; look by: " + role
	if claim != "" {
		next = "the role must allow this " + claim + ", if the job is meant to have it; look at bound_claims and user_claim by: " + role
	}
	return c.owned(fault.New(fault.SourceDenied, errors.New("the role of Vault does not allow this job"), next)).With("this job", c.claims(claim))
}

// claimIn returns the claim that a text of Vault names, and empty if it names none that is known.
func claimIn(text string) string {
	for _, name := range append(idtoken.ClaimNames(), "sub", "aud", "iss") {
		if strings.Contains(text, `claim "`+name+`"`) || strings.Contains(text, `"`+name+`" claim`) || strings.Contains(text, "("+name+") claim") {
			return name
		}
	}
	return ""
}

// claims returns the claims that a role usually looks at, and one more unless it is empty.
func (c call) claims(more string) string {
	all := c.token.Claims
	if value, known := all.Get(more); known {
		return all.Told() + "\n" + more + "  " + idtoken.Line(value)
	}
	return all.Told()
}

// refusedRead returns the error about a read that Vault has refused.
func (c call) refusedRead(a server.Answer, r vault.Read) *fault.Error {
	text := textOf(a)
	switch {
	case c.isDown(a):
		return c.down(a)
	case a.Status == http.StatusForbidden:
		return c.owned(fault.New(fault.SourceDenied, errors.New("the policies of Vault do not allow the read"),
			fmt.Sprintf("a policy of the role must have this, and the path must exist:\npath %q { capabilities = [\"read\"] }", r.Path)))
	case strings.Contains(text, "versioned k/v"):
		return c.with(fault.New(fault.BadSource, errors.New("there is nothing at a path of the source in Vault"), "version 2 of the store of keys and values needs data/ after the mount, as in secret/data/app"))
	case a.Status == http.StatusNotFound || a.Status == http.StatusBadRequest || a.Status == http.StatusMethodNotAllowed:
		return c.with(fault.New(fault.BadSource, errors.New("there is nothing at a path of the source in Vault"), "correct path in the policy file, or write what should be there; look by: vault read "+quoted(r.Path)))
	}
	return c.odd(fmt.Sprintf("it answers a read with HTTP status %d", a.Status))
}

// quoted returns a path as a word of a shell.
func quoted(path string) string {
	if strings.ContainsAny(path, " ~") {
		return "'" + path + "'"
	}
	return path
}

// isDown reports whether an answer is one of a server that cannot serve now.
//
// https://developer.hashicorp.com/vault/api-docs#http-status-codes
func (c call) isDown(a server.Answer) bool {
	return a.Status >= 500 || slices.Contains([]int{http.StatusPreconditionFailed, http.StatusTooManyRequests, 472, 473}, a.Status)
}

// down returns the error about a server that cannot serve now.
func (c call) down(a server.Answer) *fault.Error {
	if sealed(a) {
		return c.with(c.server.Unfit(a, "Vault is sealed", "somebody must unseal it: vault operator unseal"))
	}
	return c.with(c.server.Unfit(a, fmt.Sprintf("it answers with HTTP status %d", a.Status), "look at the log of Vault, and at what it depends on, such as a database, if it lasts"))
}

// odd returns the error that what answers is not Vault as it should be.
func (c call) odd(why string) *fault.Error {
	return c.with(fault.New(fault.BadSource, errors.New("the server of the source does not answer as Vault does"),
		"address of the source must be that of Vault itself, and not of a page for people or a redirect to another server").Detail("why", why))
}

// badRole returns the error that the role is not one for jobs.
func (c call) badRole(why string) *fault.Error {
	return c.with(fault.New(fault.BadSource, errors.New("the role of the source does not fit"),
		"correct role, auth_path or namespace in the policy file, or the role; for jobs it has role_type=jwt, token_type=service and a token_ttl").Detail("why", why))
}

// misfit returns the error that what Vault has does not fit what the source makes of it.
func (c call) misfit(err error, fields map[string]any) *fault.Error {
	return c.with(fault.New(fault.BadSource, errors.New("what Vault has does not fit the source"), "correct env, files or plain in the policy file, or what Vault has").
		Detail("why", err.Error())).With("fields", names(fields))
}

// names names the fields of an answer, as far as they look like names.
func names(fields map[string]any) string {
	all := slices.Sorted(maps.Keys(fields))
	all = slices.DeleteFunc(all, func(name string) bool {
		return name == "" || len(name) > maxField || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != ""
	})
	return strings.Join(all[:min(len(all), maxFields)], ", ")
}

// skew says how much the clock of this host is ahead of Vault's, if that matters.
func skew(a server.Answer) string {
	if by, known := a.Skew(); known && by.Abs().Seconds() > 5 {
		return fmt.Sprintf("this host is %+.0f s from Vault", by.Seconds())
	}
	return ""
}

// of adds to an error of the server what it was about.
func (c call) of(err error) *fault.Error {
	own, ok := errors.AsType[*fault.Error](err)
	if !ok {
		own = fault.New(fault.NoSource, errors.New("the server cannot be asked"), "")
	}
	return c.with(own)
}

// with adds to an error which role it is about, and where.
func (c call) with(err *fault.Error) *fault.Error {
	err = err.With("server", c.server.Host()).With("namespace", c.terms.Namespace)
	if c.terms.Role == "" { // a token is revoked, whosever it is
		return err
	}
	return err.With("role", c.terms.Role+" of auth/"+c.terms.AuthPath)
}

// owned adds to an error that the owner of the server decides.
func (c call) owned(err *fault.Error) *fault.Error {
	return c.with(err.With(message.WhoActs, "the owner of Vault at "+c.server.Host()+" (not the pipeline)"))
}

// at adds to an error which read it is about.
func (c call) at(r vault.Read, err *fault.Error) error { return err.With("path", tenant.Quote(r.Path)) }
