package scan

import (
	"bytes"
	"cmp"
	"errors"
	"io"

	"golang.org/x/sys/unix"
)

const (
	spoolLen = 512 << 10 // bytes in memory
	maxSpool = 1 << 30   // bytes in a file
)

// unspool searches the entries of the zip that is the rest of the layer's content. If its
// file cannot be read, the zip would look like a damaged one.
func (w *worker) unspool(l *layer) error {
	zip, closeSpool, err := w.spool(l)
	if err != nil {
		return err
	}
	err = w.unzip(zip, true)
	return cmp.Or(closeSpool(), err)
}

// spool reads the rest of the layer's content and returns it with random access. The
// caller must call the returned function: it frees the content, and returns why reading it
// has failed.
func (w *worker) spool(l *layer) (*io.SectionReader, func() error, error) {
	if l.spool == nil {
		l.spool = make([]byte, spoolLen)
	}
	n, err := io.ReadFull(l.reader, l.spool)
	if errors.Is(err, io.ErrUnexpectedEOF) { // not io.EOF: the beginning of the content is that of a zip
		return io.NewSectionReader(bytes.NewReader(l.spool[:n]), 0, int64(n)), func() error { return nil }, nil
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
	size, err := copySpool(fd, l.spool, l.reader)
	if err != nil {
		_ = unix.Close(fd)
		return nil, nil, err
	}
	file := &reading{descriptor: descriptor(fd)}
	closeSpool := func() error {
		_ = unix.Close(fd)
		return file.failed
	}
	return io.NewSectionReader(file, 0, size), closeSpool, nil
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
