// Package serve is the program endpoint: it gives a job its credentials by HTTP, and renews
// them.
package serve

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"rolecall/internal/creds"
	"rolecall/internal/endpoint"
	"rolecall/internal/endpoint/peer"
	"rolecall/internal/idtoken"
	"rolecall/internal/process"
	"rolecall/internal/version"
)

// Issuer gets credentials from the servers of one provider.
type Issuer interface {
	// Name returns the provider's name, such as aws.
	Name() string
	// Issue exchanges a job's ID token for the credential that was ordered. Errors are of
	// package fault; they contain no secret and quote no server.
	Issue(ctx context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error)
}

// Main runs the program endpoint as the main function of the process, and exits.
func Main(issuers ...Issuer) {
	process.Exit(Program(issuers).Serve)
}

// Program is the program, with the issuers that renew credentials.
type Program []Issuer

// Serve reads an order from in, serves its credentials on the descriptor endpoint.Listener,
// and renews them until in ends. It writes messages to out, and reads the answers to them
// from in. With --version as the only argument it writes its version instead. It ignores
// environ, but for what issuers read of the process's. It returns the exit code: 0 if in has
// ended, else 1, with the reason on problems.
func (p Program) Serve(args, _ []string, in io.Reader, out, problems io.Writer) (code int) {
	if slices.Equal(args, []string{"--version"}) {
		_, _ = fmt.Fprintf(out, "rolecall endpoint %s\n", version.Long()) // there is nobody else to tell
		return 0
	}
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP) // a script that ends may still ask; run ends this program
	decoder := json.NewDecoder(in)
	var order endpoint.Order
	err := decoder.Decode(&order)
	if err == nil {
		err = p.serve(order, newLink(decoder, out, order.Suspended))
	}
	if err != nil {
		_, _ = fmt.Fprintf(problems, "endpoint: %v\n", err)
		return 1
	}
	return 0
}

// serve serves an order on the descriptors of the process.
func (p Program) serve(order endpoint.Order, l *link) error {
	file := os.NewFile(endpoint.Listener, "listener")
	listener, err := net.FileListener(file)
	if err != nil {
		return fmt.Errorf("listen for the job: %w", err)
	}
	defer func() { _ = listener.Close() }()
	_ = file.Close() // the listener has a copy
	lookup, err := peer.New(endpoint.Sockets)
	if err != nil {
		return err
	}
	return service{order, l, p, lookup.UID}.run(context.Background(), listener)
}

// service is an order and all that it takes to serve it.
type service struct {
	order   endpoint.Order
	link    *link
	issuers []Issuer
	userOf  UserOf
}

// run serves the order to those who connect to a listener, until the link ends.
func (s service) run(ctx context.Context, listener net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	sources, err := s.sources()
	if err != nil {
		return err
	}
	renewed := keepFresh(ctx, sources)
	server := newServer(s.order, s.userOf, sources)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err = <-failed:
	case <-s.link.ended:
	}
	cancel()
	renewed()
	return errors.Join(err, server.Close())
}

// sources returns what is served, by path. A source has the ID token of the order, or its own.
func (s service) sources() (map[string]*source, error) {
	sources := map[string]*source{}
	for _, one := range s.order.Sources {
		token, err := idtoken.Parse(cmp.Or(one.IDToken, s.order.IDToken))
		if err != nil {
			return nil, errors.New("the ID token of the job cannot be read")
		}
		sources[endpoint.Path(one.Credential.Hide())] = &source{order: s.order, token: token, link: s.link, issuers: s.issuers, now: one}
	}
	return sources, nil
}

// keepFresh renews sources until ctx is done. The function that it returns waits for that.
func keepFresh(ctx context.Context, sources map[string]*source) (wait func()) {
	var renewing sync.WaitGroup
	for _, s := range sources {
		renewing.Go(func() { s.keepFresh(ctx) })
	}
	return renewing.Wait
}
