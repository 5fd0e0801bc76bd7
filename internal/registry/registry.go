// Package registry asks a registry what an image name stands for, before anything is
// pulled: the digest, so that what was checked is what runs, and what the image says of
// the containers that are made of it.
//
// Whose an error is depends on the HTTP status, never on the words of a registry. A
// request goes only over https, or to this host, with the login that the caller gives and
// no other: nothing is read from ~/.docker/config.json, credential helpers or the
// environment.
//
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md
package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
	"rolecall/internal/mask"
	"rolecall/internal/version"
)

// Bounds of answers and waits.
const (
	maxAnswer   = 4 << 20         // bytes; a registry need not take a larger manifest
	longestWait = 5 * time.Minute // before the next try, for a context without a deadline
)

// Client asks registries.
type Client struct {
	CABundle []byte            // CAs in PEM that are trusted beside those of the host; may be nil
	Attempt  time.Duration     // how long one request may take
	Tries    int               // how often a registry is asked while its error may pass
	Pause    time.Duration     // before the second try; the third has twice that
	Notify   func(text string) // is told before each wait; may be nil
}

// NewClient returns a client with bounds for the prepare stage.
func NewClient() Client {
	return Client{Attempt: 15 * time.Second, Tries: 3, Pause: 500 * time.Millisecond}
}

// Login is a login at one registry.
type Login struct {
	Username string
	Password mask.Secret
	Source   string // where it comes from, for messages, such as DOCKER_AUTH_CONFIG
}

// Resolved is what a registry says of an image.
type Resolved struct {
	Digest   string // of what the name stands for: an index of platforms, or a manifest
	Manifest string // the digest of the manifest for the platform
	Platform string // os/arch[/variant] that the image itself says it is for; may be empty
	Size     int64  // of all its layers as they are pulled, in bytes
	Config   Config
}

// Config is what an image says of its containers.
type Config struct {
	User         string
	Entrypoint   []string
	Command      []string
	ExposedPorts []string // such as 5432/tcp, sorted
	Volumes      []string // paths, sorted
	Env          []string // the names of its variables
}

// Resolve asks the registry of an image. The name is one in full, such as
// docker.io/library/alpine:3. The platform is os/arch[/variant], or empty for that of this
// host. Without a login, login is nil. Errors are of package fault, and hold no text of
// the registry but its error code. The time of ctx bounds all tries and waits.
func (c Client) Resolve(ctx context.Context, name, platform string, login *Login) (Resolved, error) {
	q, err := newQuery(name, platform, login)
	if err != nil {
		return Resolved{}, err
	}
	transport, err := c.transport()
	if err != nil {
		return Resolved{}, err
	}
	defer transport.CloseIdleConnections()
	guard := httpguard.New(transport, c.Attempt).Bound(maxAnswer + 1)
	for try := 1; ; try++ {
		resolved, err := q.once(ctx, guard)
		if err == nil {
			return resolved, nil
		}
		p := q.explain(err)
		if !p.again || try >= c.Tries || !c.wait(ctx, p, try) {
			return Resolved{}, p.err.With("tries", tries(p, try))
		}
	}
}

// tries returns how often a registry was asked in vain, and nothing where that is said
// already: an error that cannot pass is not tried again.
func tries(p problem, try int) string {
	if !p.again {
		return ""
	}
	text := fmt.Sprint(try)
	if p.after > 0 {
		text += fmt.Sprintf("; the registry asks to wait %s", p.after.Round(time.Second))
	}
	return text
}

// wait waits before the next try. It reports false, at once, if there is no time for it.
func (c Client) wait(ctx context.Context, p problem, try int) bool {
	pause := max(c.Pause<<(try-1), p.after)
	left := longestWait
	if deadline, ok := ctx.Deadline(); ok {
		left = time.Until(deadline)
	}
	if pause >= left || ctx.Err() != nil {
		return false
	}
	if c.Notify != nil {
		c.Notify(fmt.Sprintf("%v; try %d of %d in %s", p.err.What, try+1, c.Tries, max(pause, time.Second).Round(time.Second)))
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// transport returns an HTTP transport that uses the service's proxy and trusts CABundle, too.
func (c Client) transport() (*http.Transport, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if c.CABundle != nil && !roots.AppendCertsFromPEM(c.CABundle) {
		return nil, fault.New(fault.BadRegistry, errors.New("the CA bundle for registries has no certificate"), "correct the file that ca_bundle names")
	}
	return &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil
}

// once asks the registry one time.
func (q query) once(ctx context.Context, guard *httpguard.Guard) (Resolved, error) {
	puller, err := remote.NewPuller(
		remote.WithContext(ctx),
		remote.WithAuth(q.login.authenticator()),
		remote.WithTransport(newWay(guard, q.host())),
		remote.WithUserAgent("rolecall/"+version.Version),
		remote.WithRetryPredicate(func(error) bool { return false }), // Resolve tries again
	)
	if err != nil {
		return Resolved{}, err
	}
	named, err := puller.Get(ctx, q.reference)
	if err != nil {
		return Resolved{}, err
	}
	chosen, err := q.choose(ctx, puller, named)
	if err != nil {
		return Resolved{}, err
	}
	resolved, err := q.read(chosen)
	resolved.Digest = named.Digest.String()
	return resolved, err
}

// authenticator returns the login in the form of the library.
func (l *Login) authenticator() authn.Authenticator {
	if l == nil {
		return authn.Anonymous
	}
	return authn.FromConfig(authn.AuthConfig{Username: l.Username, Password: l.Password.Reveal()})
}

// source says which login is used.
func (l *Login) source() string {
	if l == nil {
		return "none"
	}
	return l.Source
}
