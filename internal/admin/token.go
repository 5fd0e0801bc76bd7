package admin

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/idtoken"
	"rolecall/internal/idtoken/jwks"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// maxToken bounds how many bytes of a token are read. It is above the limit for tokens,
// so that a longer token is refused because of its length.
const maxToken = 64 << 10

// tokenNames returns the variables whose ID tokens count.
func tokenNames(c admission.Case) []string {
	if c.Policy == nil {
		return []string{tenant.IDToken}
	}
	return c.Policy.TokenNames(c.Pinned, c.Request["TENANT"])
}

// replaceToken replaces the job's token by the token in file; - is standard input.
func replaceToken(c admission.Case, stdin io.Reader, file string) error {
	raw, err := readToken(stdin, file)
	if err != nil {
		return fmt.Errorf("the token: %w", err)
	}
	for _, name := range tokenNames(c) {
		c.Request[name] = strings.TrimSpace(string(raw))
	}
	return nil
}

// readToken reads a file, or standard input if file is -.
func readToken(stdin io.Reader, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(stdin, maxToken))
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxToken))
}

// reader returns how a token is read. It checks the signature if the policy file names
// keys on disk, and says in e whether it did.
func reader(c admission.Case, e *explanation) admission.Reader {
	if c.Policy == nil || c.Policy.Settings().GitLab.JWKSFile == "" {
		return func(raw string) (idtoken.Token, error) {
			e.Signature = "not checked: the policy file names no jwks_file, and explain asks no server"
			return idtoken.Parse(raw)
		}
	}
	return verifier(c.Policy.Settings().GitLab, e)
}

// verifier returns how a token is read and its signature checked, with keys on disk. The
// token may have expired since it was issued.
func verifier(gitlab tenant.GitLab, e *explanation) admission.Reader {
	return func(raw string) (idtoken.Token, error) {
		keys, err := policyfile.ReadNamed("gitlab.jwks_file", gitlab.JWKSFile)
		if err != nil {
			return idtoken.Token{}, err
		}
		e.Signature = "checked with the keys of " + gitlab.JWKSFile + ", as of when the token was issued"
		token, err := idtoken.Parse(raw)
		if err != nil {
			return token, err
		}
		issued := func() time.Time { return time.Unix(token.Claims.IssuedAt, 0) }
		return jwks.Source{Issuer: gitlab.Issuer, File: keys, Now: issued}.Verify(context.Background(), raw)
	}
}
