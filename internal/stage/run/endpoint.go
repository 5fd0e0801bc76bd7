package run

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/mask"
	"rolecall/internal/program"
)

// open opens an endpoint for a script of the user, if the job has credentials that are
// served, and puts into given how the script finds it. Otherwise it returns nil. The caller
// must call done of the endpoint.
func (r running) open(g *given) (*serving, error) {
	if !job.StageName(r.Args[1]).IsUserScript() || !slices.ContainsFunc(g.set, isServed) {
		return nil, nil
	}
	order, err := r.endpointOrder(*g)
	if err != nil {
		return nil, err
	}
	s := &serving{running: r, order: order, stopping: make(chan struct{}), ended: make(chan struct{})}
	if s.stop, s.stopper, err = os.Pipe(); err != nil {
		return nil, err
	}
	if err = s.listen(); err == nil {
		err = s.tell(g)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	go s.watch()
	return s, nil
}

// isServed reports whether an endpoint gives a credential to scripts.
func isServed(c creds.Credential) bool { return c.Served != nil }

// listen opens the socket where the script can reach it.
func (s *serving) listen() error {
	return s.place.Network(s.folder.Record().Data, func() (err error) {
		s.socket, err = endpoint.Listen()
		return err
	})
}

// endpointOrder returns what the endpoint of a script serves. Each script has another token,
// so that none can ask with that of an earlier one.
func (r running) endpointOrder(g given) (endpoint.Order, error) {
	raw := r.Env.Request[r.folder.IDToken()]
	order := endpoint.Order{IDToken: raw, Ends: endOf(raw), Job: int64(r.key.ID), Early: rand.Float64()} //nolint:gosec // it only spreads renewals
	issued, err := r.folder.Ledger()
	if err == nil {
		order.Key, err = keyOf(issued)
	}
	if err == nil {
		order.Token, err = newToken()
	}
	if err == nil {
		order.Users, err = r.place.Users(r.folder.Record().Data)
	}
	if err == nil {
		order.Sources, err = sources(g, r.Env.Request)
	}
	order.Also = also(g.set, r.Env.Request)
	return order, err
}

// also returns the values of job variables that a script exports in the place of the endpoint's
// token. prepare has refused all but ID tokens of the job there.
func also(set creds.Set, request job.Request) []string {
	var tokens []string
	for _, c := range set {
		if isServed(c) && c.Served.Token != "" && request[c.Served.Token] != "" {
			tokens = append(tokens, request[c.Served.Token])
		}
	}
	return tokens
}

// endOf returns when an ID token ends, which prepare has verified.
func endOf(raw string) time.Time {
	token, err := idtoken.Parse(raw)
	if err != nil || token.Claims.Expiry == 0 {
		return time.Time{}
	}
	return time.Unix(token.Claims.Expiry, 0)
}

// sources returns the credentials that are served, with their orders.
func sources(g given, request job.Request) ([]endpoint.Source, error) {
	var all []endpoint.Source
	for _, c := range g.set {
		if !isServed(c) {
			continue
		}
		i := slices.IndexFunc(g.orders, func(o creds.Order) bool { return o.Provider == c.Provider && o.Name == c.Name })
		if i < 0 {
			return nil, fmt.Errorf("the order of the credential %s is not in the state of the job", c)
		}
		one := endpoint.Source{Order: g.orders[i], Credential: clear.Reveal(c)}
		if name := one.Order.IDToken; name != "" {
			one.IDToken = request[name]
		}
		all = append(all, one)
	}
	return all, nil
}

// keyOf returns the key of a ledger, and a new one for a ledger that is not there.
func keyOf(l ledger.Ledger) ([]byte, error) {
	if len(l.Key) > 0 {
		return l.Key, nil
	}
	return random(ledger.KeyLen)
}

// newToken returns 24 random bytes as a text of 32 letters, digits, - and _.
func newToken() (string, error) {
	token, err := random(24)
	return base64.RawURLEncoding.EncodeToString(token), err
}

// random returns n random bytes. It links no cryptography.
func random(n int) ([]byte, error) {
	bytes := make([]byte, n)
	if _, err := unix.Getrandom(bytes, 0); err != nil {
		return nil, fmt.Errorf("random bytes for the endpoint: %w", err)
	}
	return bytes, nil
}

// tell masks the token of the endpoint, and puts it and the URL where the script and its env
// file have them.
func (s *serving) tell(g *given) error {
	token := mask.Named{Kind: creds.TokenKind, Value: mask.NewSecret(s.order.Token)}
	if err := s.Mask(token); err != nil {
		return err
	}
	g.set, g.secrets = slices.Clone(g.set), append(g.secrets, token)
	for i, c := range g.set {
		if !isServed(c) {
			continue
		}
		here := s.here(c)
		if err := s.folder.Replace(here, nil); err != nil {
			return fmt.Errorf("tell the job where its endpoint is: %w", err)
		}
		g.set[i] = s.folder.Placed(here)
	}
	g.endpoint = []string{job.EndpointVariable + "=" + s.url(), job.EndpointTokenVariable + "=" + s.order.Token}
	return nil
}

// environOf returns the environment of the program: what it needs of the service's to reach
// the servers of providers, and nothing else, since it runs as the user of the job.
func (p Parts) environOf(service []string) []string {
	var settings []string
	for _, one := range p.Providers {
		settings = append(settings, one.Settings()...)
	}
	return slices.Concat(program.Proxies(service), program.Certificates(service), program.Only(service, settings...))
}
