package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
	"rolecall/internal/ledger"
	"rolecall/internal/mask"
	"rolecall/internal/program"
)

const (
	// maxStarts bounds how often the endpoint is started for a script, which may kill it.
	maxStarts = 5
	// maxMessages bounds what the endpoint may write for a script, in bytes.
	maxMessages = 64 << 20
	// endTime is how long the endpoint may take to end.
	endTime = time.Second
	// look is how often a wait looks at the clock, which may be set.
	look = 10 * time.Second
)

// serving is the endpoint of a script. Its program runs only once it is needed.
type serving struct {
	running

	socket        *endpoint.Socket
	order         endpoint.Order // what the program serves when it starts
	stop, stopper *os.File       // a pipe: stop can be read once the endpoint must end
	stopping      chan struct{}  // closed then
	ended         chan struct{}  // closed when watch has ended
}

// done ends the endpoint of a script that has ended. Nothing listens when it returns.
func (s *serving) done() {
	if s == nil {
		return
	}
	close(s.stopping)
	s.Warn(s.stopper.Close())
	<-s.ended
	s.Warn(s.stop.Close())
}

// close closes all that open has opened.
func (s *serving) close() error {
	err := errors.Join(s.stopper.Close(), s.stop.Close())
	if s.socket != nil {
		err = errors.Join(err, s.socket.Close())
	}
	return err
}

// watch starts the program whenever it is needed, until the endpoint ends. Then it closes the
// socket: a client that nobody answers would wait.
func (s *serving) watch() {
	defer close(s.ended)
	defer func() { s.Warn(s.socket.Close()) }()
	for range maxStarts {
		if !s.needed() {
			return
		}
		if err := s.serve(); err != nil {
			s.Log.Warnf("the job's credentials are not given to its script: %v", err)
			return
		}
	}
	s.Log.Warn("the job's credentials are no longer given to its script: their endpoint was killed too often")
}

// needed waits until a client has connected or a credential must be renewed, and reports
// whether that is so; it is not if the endpoint must end.
func (s *serving) needed() bool {
	due, renewed := s.order.Due()
	for {
		wait := look
		if renewed {
			wait = min(wait, max(0, time.Until(due.Round(0))))
		}
		ready := []unix.PollFd{pollFor(s.socket.Listener), pollFor(s.stop)}
		_, err := unix.Poll(ready, int(wait.Milliseconds()))
		switch {
		case err != nil && !errors.Is(err, unix.EINTR), ready[1].Revents != 0:
			return false
		case ready[0].Revents != 0, renewed && !time.Now().Before(due.Round(0)):
			return true
		}
	}
}

// pollFor waits until a file can be read.
func pollFor(f *os.File) unix.PollFd {
	return unix.PollFd{Fd: int32(f.Fd()), Events: unix.POLLIN} //nolint:gosec // descriptors are small
}

// child is the program of an endpoint.
type child struct {
	cmd      *exec.Cmd
	answers  io.WriteCloser // the program's standard input
	messages io.Reader      // its standard output
}

// serve starts the program, and does what it asks until it has ended or the endpoint must
// end.
func (s *serving) serve() error {
	s.order.Suspended = s.suspended()
	c, err := s.start()
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go s.endIt(c, ended)
	s.talk(c, ended)
	close(ended)
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // the script's reaper may have been first
	return nil
}

// start starts the program.
func (s *serving) start() (*child, error) {
	cmd, err := program.Beside(context.Background(), endpoint.Program)
	if err != nil {
		return nil, err
	}
	cmd.Env, cmd.Stderr, cmd.WaitDelay = s.parts.environOf(s.Env.Service), s.Stderr, endTime
	cmd.ExtraFiles = []*os.File{s.socket.Listener, s.socket.Sockets} // endpoint.Listener, endpoint.Sockets
	answers, inErr := cmd.StdinPipe()
	messages, outErr := cmd.StdoutPipe()
	if err := errors.Join(inErr, outErr); err != nil {
		return nil, err
	}
	if err := s.place.Start(s.folder.Record().Data, cmd); err != nil {
		return nil, program.CannotStart(cmd, err)
	}
	return &child{cmd, answers, messages}, nil
}

// endIt ends the program when the endpoint must end, or does nothing if it has ended before.
func (s *serving) endIt(c *child, ended chan struct{}) {
	select {
	case <-ended:
		return
	case <-s.stopping:
	}
	_ = c.answers.Close()
	select {
	case <-ended:
	case <-time.After(endTime):
		_ = c.cmd.Process.Kill()
	}
}

// talk sends the program its order, and answers its messages until there are no more. Ended is
// closed after that.
func (s *serving) talk(c *child, ended chan struct{}) {
	err := send(c.answers, s.order)
	go s.tellSuspended(c.answers, s.order.Suspended, ended)
	decoder := json.NewDecoder(io.LimitReader(c.messages, maxMessages))
	for err == nil {
		var m endpoint.Message
		if err = decoder.Decode(&m); err == nil {
			err = s.hear(m, c.answers)
		}
	}
}

// hear does what a message asks for.
func (s *serving) hear(m endpoint.Message, answers io.Writer) error {
	if m.Warning != "" {
		s.Log.Warn(m.Warning)
	}
	if m.Renewed == nil {
		return nil
	}
	answer := endpoint.Answer{Kept: true}
	if err := s.keep(*m.Renewed); err != nil {
		answer = endpoint.Answer{Why: err.Error()}
	}
	return send(answers, answer)
}

// send writes a line of JSON.
func send(to io.Writer, v any) error {
	line, err := endpoint.Encode(v)
	if err == nil {
		_, err = to.Write(line)
	}
	return err
}

// keep makes a renewed credential one of the job: it is masked, it is in the audit log and in
// the ledger, and later scripts and the gate find it in the job's state. Only then may
// anybody have it.
func (s *serving) keep(r endpoint.Renewed) error {
	if err := s.refuse(); err != nil {
		return err
	}
	c := r.Credential.Hide()
	i := slices.IndexFunc(s.order.Sources, func(o endpoint.Source) bool { return o.Is(c) })
	if i < 0 || c.Served == nil {
		return fmt.Errorf("the job has no credential %s that is renewed", c)
	}
	if err := s.Mask(c.Secrets...); err != nil {
		return err
	}
	if err := s.audit(c); err != nil {
		return err
	}
	s.Warn(s.folder.Quota().Count(s.folder.Root(), 1))
	here := s.here(c)
	err := s.folder.Replace(here, func(l ledger.Ledger) ledger.Ledger {
		l.Key, l.Entries = s.order.Key, append(l.Entries, r.Entries...)
		return l
	})
	if err == nil {
		s.order.Sources[i].Credential = clear.Reveal(here)
	}
	return err
}

// audit writes to the audit log that a credential was renewed.
func (s *serving) audit(c creds.Credential) error {
	return s.folder.Record().Audit.Tell(audit.Renewed, name, func(e *audit.Event) {
		e.Stage, e.Source = s.Args[1], c.Name
		e.Give(c.Facts.Get, c.Expires)
	})
}

// url returns the URL of the endpoint, without a path.
func (s *serving) url() string { return fmt.Sprintf("http://127.0.0.1:%d", s.socket.Port) }

// here returns a credential that says where its endpoint is.
func (s *serving) here(c creds.Credential) creds.Credential {
	return c.At(s.url()+endpoint.Path(c), mask.NewSecret(s.order.Token))
}
