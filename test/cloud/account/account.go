// Package account is an AWS account, as far as STS and S3 know of it: who may have which role, and
// the sessions of roles.
package account

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"rolecall/test/cloud/trust"
)

// Account is an account with one identity provider. Its methods may be called concurrently.
type Account struct {
	id        string
	issuer    string
	audiences []string

	mu       sync.Mutex // guards what follows
	ahead    time.Duration
	roles    map[string]Role
	sessions map[string]Session
}

// Role is a role of the account.
type Role struct {
	ARN    string
	Trust  trust.Policy
	Bucket string        // with which it may do everything, and with nothing else
	Most   time.Duration // of a session
}

// Session is a session of a role.
type Session struct {
	Keys aws.Credentials
	Role Role
	Name string
}

// New returns an account that takes ID tokens of an issuer that are for one of the audiences.
func New(id, issuer string, audiences ...string) *Account {
	return &Account{id: id, issuer: issuer, audiences: audiences, roles: map[string]Role{}, sessions: map[string]Session{}}
}

// Issuer returns the URL of the issuer, and Audiences what its tokens may be for.
func (a *Account) Issuer() string { return a.issuer }

// Audiences returns the audiences of the identity provider.
func (a *Account) Audiences() []string { return a.audiences }

// Host returns what keys of conditions about the issuer's tokens begin with.
func (a *Account) Host() string {
	_, host, _ := strings.Cut(a.issuer, "://")
	return strings.TrimSuffix(host, "/")
}

// Provider returns the ARN of the identity provider.
func (a *Account) Provider() string {
	return "arn:aws:iam::" + a.id + ":oidc-provider/" + a.Host()
}

// ARN returns the ARN of a role by its name.
func (a *Account) ARN(role string) string { return "arn:aws:iam::" + a.id + ":role/" + role }

// Add adds a role.
func (a *Account) Add(r Role) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.roles[r.ARN] = r
}

// Role returns the role with that ARN.
func (a *Account) Role(arn string) (Role, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.roles[arn]
	return r, ok
}

// Now returns the time by the account's clock.
func (a *Account) Now() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Add(a.ahead)
}

// Advance sets the account's clock ahead.
func (a *Account) Advance(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ahead += d
}

// Issue makes a session.
func (a *Account) Issue(r Role, name string, d time.Duration) Session {
	s := Session{Role: r, Name: name, Keys: aws.Credentials{
		AccessKeyID: "ASIA" + rand.Text()[:16], SecretAccessKey: random(30), SessionToken: "IQoJ" + random(402),
		CanExpire: true, Expires: a.Now().Add(d).UTC().Truncate(time.Second),
	}}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[s.Keys.AccessKeyID] = s
	return s
}

// Session returns the session with that access key id, also if it has expired.
func (a *Account) Session(keyID string) (Session, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, ok := a.sessions[keyID]
	return s, ok
}

// random returns n random bytes in base64; n is a multiple of three.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
