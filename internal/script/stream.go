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
	// quietTime is how long to wait for more output when the script has ended but a
	// process still holds the pipe.
	quietTime = time.Second
	// tailSize bounds the output after the script has ended, in bytes. It is more than
	// a pipe can hold.
	tailSize = 2 << 20
)

// stream copies one output of the script to a writer. The script never gets the driver's
// own descriptor: the runner would wait until every process has closed it.
type stream struct {
	to     io.Writer
	from   *os.File
	ended  atomic.Bool   // the script is dead
	tail   int           // how many bytes may still be copied after that
	broken chan struct{} // closed when a write to to has failed
	done   chan error    // gets one value when all output has been copied
}

// newStream returns a stream that writes to to.
func newStream(to io.Writer) *stream {
	return &stream{to: to, tail: tailSize, broken: make(chan struct{}), done: make(chan error, 1)}
}

// pipe starts the stream and returns the end of the pipe that the script writes to.
func (s *stream) pipe() (*os.File, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("pipe for the script: %w", err)
	}
	s.from = from
	go s.copyAll()
	return to, nil
}

// bufferSize is how much is read at once, in bytes, if the writer lends no buffer.
const bufferSize = 64 << 10

// copyAll copies the output until no process holds the script's end of the pipe, or until
// the script is dead and the pipe is silent.
func (s *stream) copyAll() {
	nextBuffer := s.buffers()
	for {
		buffer := nextBuffer()
		n, err := s.read(buffer)
		if _, broken := s.to.Write(buffer[:n]); broken != nil {
			close(s.broken)
			_, _ = io.Copy(io.Discard, s.from) // so the script dies of the driver's SIGTERM and not of SIGPIPE
			s.done <- fmt.Errorf("the runner stopped reading the job log: %w", broken)
			return
		}
		if err != nil {
			s.done <- realError(err)
			return
		}
	}
}

// buffers returns a function that returns the buffer for the next read. This is the
// writer's own buffer if it offers one, as a bufio.Writer does: that saves a copy. A
// writer may have no room at the moment, like an empty bytes.Buffer: a read into an
// empty buffer would never end.
func (s *stream) buffers() func() []byte {
	var own []byte
	lender, _ := s.to.(interface{ AvailableBuffer() []byte })
	return func() []byte {
		if lender != nil {
			if lent := lender.AvailableBuffer(); cap(lent) > 0 {
				return lent[:cap(lent)]
			}
		}
		if own == nil {
			own = make([]byte, bufferSize)
		}
		return own
	}
}

// read reads from the script's end of the pipe.
func (s *stream) read(p []byte) (int, error) {
	if !s.ended.Load() {
		n, err := s.from.Read(p)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		// drain has set the deadline, and it passed before this goroutine read.
	}
	return s.readTail(p)
}

// readTail reads what the dead script has left, until the pipe is silent or too much has
// come.
func (s *stream) readTail(p []byte) (int, error) {
	_ = s.from.SetReadDeadline(time.Now().Add(quietTime))
	n, err := s.from.Read(p)
	if s.tail -= n; s.tail < 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// realError returns err, but nil if err is the normal end of a stream.
func realError(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// drain waits until the output of the dead script has been copied, and ends the stream.
func (s *stream) drain() error {
	if s.from == nil {
		return nil
	}
	defer s.from.Close()
	s.ended.Store(true)
	_ = s.from.SetReadDeadline(time.Now().Add(quietTime))
	return <-s.done
}
