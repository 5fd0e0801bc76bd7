package scan

import (
	"bytes"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

const (
	spoolLen = 512 << 10 // bytes in memory
	maxSpool = 1 << 30   // bytes in a file
)

// spool reads the rest of the layer's content and returns it with random access. The
// caller must call the returned function to free it.
func (w *worker) spool(l *layer) (*io.SectionReader, func(), error) {
	if l.spool == nil {
		l.spool = make([]byte, spoolLen)
	}
	n, err := io.ReadFull(l.reader, l.spool)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.NewSectionReader(bytes.NewReader(l.spool[:n]), 0, int64(n)), func() {}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if w.options.Temp == "" {
		return nil, nil, ErrSpool
	}
	fd, err := retry(func() (int, error) {
		return unix.Open(w.options.Temp, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return nil, nil, err
	}
	closeSpool := func() { _ = unix.Close(fd) }
	size, err := copySpool(fd, l.spool, l.reader)
	if err != nil {
		closeSpool()
		return nil, nil, err
	}
	return io.NewSectionReader(descriptor(fd), 0, size), closeSpool, nil
}

// copySpool writes buffer, and then the content of from, to the file fd. It returns the
// number of bytes.
func copySpool(fd int, buffer []byte, from io.Reader) (int64, error) {
	size := int64(0)
	for n := len(buffer); n > 0; {
		for rest := buffer[:n]; len(rest) > 0; {
			written, err := retry(func() (int, error) { return unix.Write(fd, rest) })
			if err != nil {
				return 0, err
			}
			rest = rest[written:]
		}
		if size += int64(n); size > maxSpool {
			return 0, ErrSpool
		}
		var err error
		if n, err = io.ReadFull(from, buffer); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, err
		}
	}
	return size, nil
}
