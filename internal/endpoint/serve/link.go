package serve

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"rolecall/internal/endpoint"
)

// link is the way to the run stage.
type link struct {
	ended   chan struct{} // closed when the run stage has ended or has closed the link
	answers chan endpoint.Answer

	asking  sync.Mutex // held from a question to its answer
	writing sync.Mutex // guards to
	to      io.Writer

	suspended atomic.Pointer[string] // why nothing is given; empty: it is given
}

// newLink returns a link that reads answers by a decoder, and writes messages. Suspended says why
// nothing is given, until an answer says otherwise.
func newLink(from *json.Decoder, to io.Writer, suspended string) *link {
	l := &link{ended: make(chan struct{}), answers: make(chan endpoint.Answer, 1), to: to}
	l.suspended.Store(&suspended)
	go l.read(from)
	return l
}

// read passes on answers until there are no more.
func (l *link) read(from *json.Decoder) {
	defer close(l.ended)
	for {
		var a endpoint.Answer
		if err := from.Decode(&a); err != nil {
			return
		}
		if a.Suspended != nil {
			l.suspended.Store(a.Suspended)
			continue
		}
		select {
		case l.answers <- a:
		default: // nobody has asked
		}
	}
}

// write writes a message.
func (l *link) write(m endpoint.Message) error {
	line, err := endpoint.Encode(m)
	if err != nil {
		return err
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err = l.to.Write(line)
	return err
}

// warn shows a text in the job log.
func (l *link) warn(text string) { _ = l.write(endpoint.Message{Warning: text}) } // without a run stage there is no log

// keep has the run stage keep a credential, so that it is masked, searched for and in the
// audit log before anybody can have it. It waits until ctx is done, as it is when the link ends.
func (l *link) keep(ctx context.Context, r endpoint.Renewed) error {
	l.asking.Lock()
	defer l.asking.Unlock()
	select {
	case <-l.answers: // of a question that was given up
	default:
	}
	if err := l.write(endpoint.Message{Renewed: &r}); err != nil {
		return err
	}
	select {
	case a := <-l.answers:
		if !a.Kept {
			return errors.New(a.Why)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
