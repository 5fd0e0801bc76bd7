// Package broker is the program rolecall-broker: it gives the jobs of any executor credentials
// of AWS for their ID token, by the policy file that the driver uses.
//
// It is a server of container credentials, as AWS calls them: the ID token is what the SDKs send
// as Authorization.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
package broker

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"rolecall/internal/admission"
	"rolecall/internal/process"
	"rolecall/internal/session"
	"rolecall/internal/tenant/policyfile"
	"rolecall/internal/version"
)

// Provider is a provider of credentials.
type Provider interface {
	policyfile.Provider
	admission.Provider
	session.Issuer
	// Ignores reports whether a variable of that name in the environment of the service must
	// not reach the provider.
	Ignores(variable string) bool
}

// Program is the program, with the providers that it knows.
type Program []Provider

// garbage is how much of its memory the process may have as garbage, in percent of what it keeps.
// What it keeps is mostly tokens and answers, into which the collector need not look.
const garbage = 20

// Main runs the program as the main function of the process, and exits.
func Main(providers ...Provider) {
	debug.SetGCPercent(garbage)
	process.Exit(Program(providers).Serve)
}

// Serve answers clients until the process gets SIGTERM or SIGINT. SIGHUP has it read the policy
// file and the certificate again. It returns the exit code: 0 after such a signal, 2 for a wrong
// command line, else 1, with the reason on problems.
func (p Program) Serve(args, environ []string, _ io.Reader, out, problems io.Writer) (code int) {
	f, err := parseFlags(args)
	switch {
	case errors.Is(err, errHelp):
		_, _ = io.WriteString(out, usage)
		return 0
	case err != nil:
		_, _ = fmt.Fprintf(problems, "rolecall-broker: %v; rolecall-broker --help lists the flags\n", err)
		return 2
	case f.version:
		_, _ = fmt.Fprintf(out, "rolecall-broker %s\n", version.Long())
		return 0
	}
	log := newLog(problems)
	if err := p.run(f, environ, log); err != nil {
		log.Error(err)
		return 1
	}
	return 0
}

// newLog returns the log of the service, which systemd and Kubernetes keep.
func newLog(w io.Writer) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(w)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: time.RFC3339})
	return log
}

// run makes the broker, and serves until a signal ends it.
func (p Program) run(f flags, environ []string, log *logrus.Logger) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := process.Unset(environ, p.ignores); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		log.Warn("the broker runs as root, and needs none of its rights: run it as a user of its own")
	}
	s, err := newService(p, f, log)
	if err != nil {
		return err
	}
	defer s.keeper.Close()
	servers, err := s.listen()
	if err != nil {
		return err
	}
	return s.serve(servers, signals)
}

// ignores reports whether a provider ignores a variable of the service.
func (p Program) ignores(variable string) bool {
	return slices.ContainsFunc(p, func(one Provider) bool { return one.Ignores(variable) })
}

// parts returns providers as values of an interface that they implement.
func parts[T any](p Program) []T {
	all := make([]T, len(p))
	for i, one := range p {
		all[i] = any(one).(T)
	}
	return all
}
