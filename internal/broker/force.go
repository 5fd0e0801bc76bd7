package broker

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"rolecall/internal/adminfile"
	"rolecall/internal/idtoken"
	"rolecall/internal/idtoken/jwks"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// force is what is in force until the next reload.
type force struct {
	policy *tenant.Policy
	load   int    // counts loads: each decides what is kept anew
	id     string // of policy and load: what is kept has it, and each request compares it
	keys   jwks.Source
	pair   *tls.Certificate // nil: there is no https
	source []byte           // what the pair and the keys were read from
}

// count says which load the force is.
func (f *force) count(load int) {
	f.load, f.id = load, f.policy.Hash()+"/"+strconv.Itoa(load)
}

// same reports whether another load has read the same.
func (f *force) same(other *force) bool {
	return f.policy.Hash() == other.policy.Hash() && bytes.Equal(f.source, other.source)
}

// expires returns when the certificate expires; zero: there is none.
func (f *force) expires() time.Time {
	if f.pair == nil {
		return time.Time{}
	}
	return f.pair.Leaf.NotAfter
}

// loadForce reads the policy file, and the files that it and the flags name.
func (p Program) loadForce(f flags, warn func(string)) (*force, error) {
	policy, err := policyfile.LoadUnplaced(f.config, parts[policyfile.Provider](p)...)
	if err != nil {
		return nil, err
	}
	if f.auditLog == "" && policy.Settings().AuditLog == "" {
		return nil, errors.New("there is no audit log: set audit_log in the policy file, or --audit-log; what a broker gives must be told somewhere")
	}
	out := &force{policy: policy, keys: keysOf(policy.Settings().GitLab, f.state, warn)}
	if out.keys.File, err = policyfile.ReadNamed("gitlab.jwks_file", policy.Settings().GitLab.JWKSFile); err != nil {
		return nil, err
	}
	if out.keys.CABundle, err = policyfile.ReadNamed("gitlab.ca_bundle", policy.Settings().GitLab.CABundle); err != nil {
		return nil, err
	}
	out.count(0)
	out.source = bytes.Join([][]byte{out.keys.File, out.keys.CABundle}, nil)
	return out, out.loadPair(f)
}

// verify reads an ID token, and checks that the issuer has signed it.
func (f *force) verify(ctx context.Context, raw string) (idtoken.Token, error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	return f.keys.Verify(ctx, raw)
}

// keysOf returns the source of the issuer's keys, which are kept in a folder.
func keysOf(gitlab tenant.GitLab, dir string, warn func(string)) jwks.Source {
	return jwks.Source{Issuer: gitlab.Issuer, URL: gitlab.JWKSURL, Dir: dir, Patience: patience, Warn: warn}
}

// maxPEM bounds the size of a certificate and of a key, in bytes.
const maxPEM = 1 << 20

// loadPair reads the certificate and its key, if there are flags for them.
func (f *force) loadPair(from flags) error {
	if from.certificate == "" {
		return nil
	}
	certificate, err := adminfile.Read(from.certificate, maxPEM)
	if err != nil {
		return fmt.Errorf("--certificate: %w", err)
	}
	key, err := adminfile.Read(from.key, maxPEM)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("--certificate %s and --key %s are not a pair: %w", from.certificate, from.key, err)
	}
	f.pair, f.source = &pair, bytes.Join([][]byte{f.source, certificate}, nil)
	return nil
}

// makeState makes the folder of the keys, if it is not there. Whoever can write to it can make
// tokens, so it must be closed to all others.
func makeState(path string) error {
	err := os.Mkdir(path, 0o700)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("--state: %w", err)
	}
	if jwks.CheckDir(path) != nil {
		return fmt.Errorf("--state: %s must be a folder with mode 0700 that belongs to user %d", path, os.Geteuid())
	}
	return nil
}
