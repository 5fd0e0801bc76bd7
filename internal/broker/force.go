package broker

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/sirupsen/logrus"

	"rolecall/internal/adminfile"
	"rolecall/internal/idtoken/jwks"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// force is what is in force until the next reload.
type force struct {
	policy *tenant.Policy
	load   int // counts loads: each decides what is kept anew
	keys   jwks.Source
	pair   *tls.Certificate // nil: there is no https
	source []byte           // what the pair and the keys were read from
}

// id identifies the force.
func (f *force) id() string { return f.policy.Hash() + "/" + strconv.Itoa(f.load) }

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
func (p Program) loadForce(f flags, log *logrus.Logger) (*force, error) {
	policy, err := policyfile.LoadUnplaced(f.config, parts[policyfile.Provider](p)...)
	if err != nil {
		return nil, err
	}
	if f.auditLog == "" && policy.Settings().AuditLog == "" {
		return nil, errors.New("there is no audit log: set audit_log in the policy file, or --audit-log; what a broker gives must be told somewhere")
	}
	out := &force{policy: policy, keys: keysOf(policy.Settings().GitLab, f.state, log)}
	if out.keys.File, err = policyfile.ReadNamed("gitlab.jwks_file", policy.Settings().GitLab.JWKSFile); err != nil {
		return nil, err
	}
	if out.keys.CABundle, err = policyfile.ReadNamed("gitlab.ca_bundle", policy.Settings().GitLab.CABundle); err != nil {
		return nil, err
	}
	out.source = bytes.Join([][]byte{out.keys.File, out.keys.CABundle}, nil)
	return out, out.loadPair(f)
}

// keysOf returns the source of the issuer's keys, which are kept in a folder.
func keysOf(gitlab tenant.GitLab, dir string, log *logrus.Logger) jwks.Source {
	return jwks.Source{Issuer: gitlab.Issuer, URL: gitlab.JWKSURL, Dir: dir, Warn: func(text string) { log.Warn(text) }}
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
	if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return fmt.Errorf("--certificate %s: %w", from.certificate, err)
	}
	f.pair, f.source = &pair, bytes.Join([][]byte{f.source, certificate}, nil)
	return nil
}

// makeState makes the folder of the keys, if it is not there.
func makeState(path string) error {
	err := os.Mkdir(path, 0o700)
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("--state: %w", err)
	}
	return nil
}
