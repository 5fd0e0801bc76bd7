package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/time/rate"

	"rolecall/internal/audit"
	"rolecall/internal/broker/hold"
	"rolecall/internal/broker/metrics"
	"rolecall/internal/suspension"
	"rolecall/internal/version"
)

// Bounds of time and size.
const (
	headerTime = 2 * time.Second // until a client has sent its request
	answerTime = 5 * time.Second // until it has taken the answer
	idleTime   = time.Minute
	maxHeader  = 16 << 10         // bytes; net/http adds 4 KiB
	graceTime  = 10 * time.Second // for those who wait for an answer when the broker ends
	soon       = 14 * 24 * time.Hour
)

// service is a broker that runs.
type service struct {
	*source

	flags   flags
	keeper  *hold.Keeper
	metrics *metrics.Metrics
	clients *clients
	ending  atomic.Bool
}

// newService reads what the flags name, and returns a service that keeps nothing yet.
func newService(p Program, f flags, log *logrus.Logger) (*service, error) {
	if err := makeState(f.state); err != nil {
		return nil, err
	}
	s := &service{flags: f, clients: newClients(), source: &source{
		program: p, auditLog: f.auditLog, log: log, quotas: newQuotas(), calls: make(chan struct{}, maxCalls), lines: rate.NewLimiter(10, 100),
	}}
	s.suspensions = suspension.Beside(f.config)
	s.suspended = suspension.NewWatch(s.suspensions)
	first, err := p.loadForce(f, s.warn)
	if err != nil {
		return nil, err
	}
	s.force.Store(first)
	if err := s.told(audit.Log{Path: s.auditPath()}.Ready()); err != nil {
		log.Errorf("nothing is given until the audit log can be written: %s", oneLine(err))
	}
	s.keeper = hold.New(s.source, hold.Limits{Sessions: 50_000, Refused: 10_000, Working: 1_000, PerSecond: 100})
	s.metrics = metrics.New(func() (sessions, refused, working int) {
		n := s.keeper.Count()
		return n.Sessions, n.Refused, n.Working
	})
	s.tried = s.metrics.Tried
	s.refused = func(client string) {
		a, _ := netip.ParseAddr(client) // clientOf has made it
		s.clients.fail(a, time.Now())
	}
	s.metrics.Loaded(nil, first.expires())
	return s, nil
}

// serve answers clients until a signal ends the broker, or a server fails.
func (s *service) serve(servers []server, signals <-chan os.Signal) error {
	ctx, stop := context.WithCancel(context.Background())
	var freshening sync.WaitGroup
	freshening.Go(func() { s.freshen(ctx) })
	defer freshening.Wait()
	defer stop()
	failed := make(chan error, len(servers))
	for _, one := range servers {
		go func() { failed <- one.Serve(one.listener) }()
	}
	s.log.WithField("policy", s.force.Load().policy.Hash()).Infof("rolecall-broker %s answers at %s", version.Version, s.flags.addresses())
	err := s.wait(signals, failed)
	return errors.Join(err, shutDown(servers))
}

// wait returns when a signal ends the broker, or with the error of a server. It reloads on SIGHUP
// and as often as the flags say.
func (s *service) wait(signals <-chan os.Signal, failed <-chan error) error {
	var changes <-chan time.Time
	if s.flags.every > 0 {
		ticker := time.NewTicker(s.flags.every)
		defer ticker.Stop()
		changes = ticker.C
	}
	for {
		select {
		case err := <-failed:
			return err
		case <-changes:
			s.reload(false)
		case got := <-signals:
			if got != syscall.SIGHUP {
				s.ending.Store(true)
				return nil
			}
			s.reload(true)
		}
	}
}

// reload reads policy file and certificate again. What was broken changes nothing. If it is
// forced, what is kept is decided anew also if nothing has changed.
func (s *service) reload(forced bool) {
	next, err := s.program.loadForce(s.flags, s.warn)
	if err != nil {
		s.metrics.Loaded(err, time.Time{})
		s.log.Errorf("nothing is reloaded, and what was in force stays: %s", oneLine(err))
		return
	}
	now := s.force.Load()
	if !forced && now.same(next) {
		return
	}
	next.count(now.load + 1)
	s.force.Store(next)
	s.metrics.Loaded(nil, next.expires())
	s.log.WithField("policy", next.policy.Hash()).Info("the policy file and the certificate are reloaded; what is kept is decided anew")
	s.warnExpiry(next)
}

// warnExpiry logs that a certificate expires soon, or has expired.
func (s *service) warnExpiry(f *force) {
	if ends := f.expires(); !ends.IsZero() && time.Until(ends) < soon {
		s.log.Warnf("the certificate %s expires at %s: renew it, and send SIGHUP", s.flags.certificate, ends.UTC().Format(time.RFC3339))
	}
}

// server is an HTTP server with its listener.
type server struct {
	*http.Server

	listener net.Listener
}

// listen opens all addresses.
func (s *service) listen() (all []server, err error) {
	defer func() {
		if err != nil {
			_ = shutDown(all)
		}
	}()
	for _, a := range s.flags.listen {
		l, err := a.Listen(func() *tls.Certificate { return s.force.Load().pair })
		if err != nil {
			return all, err
		}
		all = append(all, server{newServer(s, s.clients.count), l})
	}
	s.warnExpiry(s.force.Load())
	if s.flags.status == "" {
		return all, nil
	}
	l, err := net.Listen("tcp", s.flags.status)
	if err != nil {
		return all, fmt.Errorf("--status %s: %w", s.flags.status, err)
	}
	return append(all, server{newServer(s.status(), nil), l}), nil
}

// newServer returns a server with bounds of time and size.
func newServer(h http.Handler, count func(net.Conn, http.ConnState)) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       headerTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ConnState:         count,
		ErrorLog:          log.New(io.Discard, "", 0), // it would print what clients send

		DisableGeneralOptionsHandler: true,
	}
}

// shutDown ends servers: those who wait for an answer get it.
func shutDown(all []server) error {
	ctx, cancel := context.WithTimeout(context.Background(), graceTime)
	defer cancel()
	var err error
	for _, one := range all {
		err = errors.Join(err, one.Shutdown(ctx), ignoreClosed(one.listener.Close()))
	}
	return err
}

// ignoreClosed returns an error unless it says that something was closed before.
func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}
