package admin

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"rolecall/internal/admin/setup"
)

// ask asks on a terminal for what is missing.
func (d call) ask(f *first, terminal int) (err error) {
	secret := func() (string, error) { return readHidden(terminal) }
	f.answers, err = setup.Dialogue{In: bufio.NewReader(d.stdin), Out: d.stderr, Secret: secret}.Complete(f.answers)
	return err
}

// readHidden reads a line from a terminal, which does not show it. After an interrupt the terminal
// shows again what is typed.
func readHidden(terminal int) (string, error) {
	before, err := term.GetState(terminal)
	if err != nil {
		return "", err
	}
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(interrupts)
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // it ends with the process, if there is an interrupt
		line, err := term.ReadPassword(terminal)
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		if errors.Is(a.err, io.EOF) {
			a.err = nil
		}
		return string(a.line), a.err
	case <-interrupts:
		return "", errors.Join(errors.New("interrupted: nothing was written"), term.Restore(terminal, before))
	}
}
