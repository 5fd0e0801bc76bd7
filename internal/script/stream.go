package script

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
)

const (
	// quietTime is how long an output may be silent, once the script has ended,
	// before it counts as complete though somebody holds the pipe.
	quietTime = time.Second
	// tailSize bounds what is carried after the script has ended, in bytes: more
	// than a pipe can hold.
	tailSize = 2 << 20
)

// stream carries one output of the script. The script never holds the driver's
// own descriptor: whoever keeps that open keeps the runner waiting.
type stream struct {
	to     io.Writer
	from   *os.File
	ended  atomic.Bool   // the script is dead
	tail   int           // bytes that may still come then
	broken chan struct{} // closed when to takes no more
	done   chan error    // gets one value when all has been carried
}

// newStream returns a stream that writes to to.
func newStream(to io.Writer) *stream {
	return &stream{to: to, tail: tailSize, broken: make(chan struct{}), done: make(chan error, 1)}
}

// pipe begins the stream and returns the end that the script writes to.
func (s *stream) pipe() (*os.File, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe for the script: %w", err)
	}
	s.from = from
	go s.carry()
	return to, nil
}

// carry copies until nobody holds the script's end of the pipe, or the script is
// dead and the pipe silent.
func (s *stream) carry() {
	available := s.available()
	for {
		buffer := available()
		n, err := s.read(buffer)
		if _, broken := s.to.Write(buffer[:n]); broken != nil {
			close(s.broken)
			_, _ = io.Copy(io.Discard, s.from) // so that the script dies of our SIGTERM, not of SIGPIPE
			s.done <- fmt.Errorf("the runner takes no more output: %w", broken)
			return
		}
		if err != nil {
			s.done <- realError(err)
			return
		}
	}
}

// available returns what gives the buffer for each read: the writer's own, where
// it has one to spare it a copy, as a bufio.Writer does.
func (s *stream) available() func() []byte {
	if w, ok := s.to.(interface{ AvailableBuffer() []byte }); ok {
		return func() []byte {
			buffer := w.AvailableBuffer()
			return buffer[:cap(buffer)]
		}
	}
	buffer := make([]byte, 64<<10)
	return func() []byte { return buffer }
}

// read reads from the script's end of the pipe.
func (s *stream) read(p []byte) (int, error) {
	if !s.ended.Load() {
		n, err := s.from.Read(p)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		// drain's deadline passed while this was not looking.
	}
	_ = s.from.SetReadDeadline(time.Now().Add(quietTime))
	n, err := s.from.Read(p)
	if s.tail -= n; s.tail < 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// realError returns err unless it is one of the ways in which a stream ends.
func realError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// drain waits until the output of the dead script has been carried, and ends the
// stream.
func (s *stream) drain() error {
	if s.from == nil {
		return nil
	}
	defer s.from.Close()
	s.ended.Store(true)
	_ = s.from.SetReadDeadline(time.Now().Add(quietTime))
	return <-s.done
}
