package reading

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
)

// plain is the form of a file that is not compressed.
const plain = ""

// file is a file of the log that is open.
type file struct {
	*os.File

	form  string    // how it is compressed: the end of its name
	size  int64     // when it was opened
	last  time.Time // when it was written to
	first []byte    // its first line, at most maxLine of it; empty if it is not whole
}

// openFile opens a file, and reads its first line. It follows no link, and opens no file that
// others can change.
func openFile(path string) (*file, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	f := &file{File: os.NewFile(uintptr(fd), path), form: formOf(path)}
	if err = f.examine(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// examine checks a file that was opened, and reads what a file has.
func (f *file) examine() error {
	if err := adminfile.CheckFile(f.File); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	f.size, f.last = info.Size(), info.ModTime()
	return f.begin()
}

// begin reads the first line. That a file has none, or is broken, shows when it is read.
func (f *file) begin() error {
	r, err := f.stream()
	if err != nil {
		return f.known(err)
	}
	defer r.Close()
	line, err := bufio.NewReaderSize(r, maxLine).ReadSlice('\n')
	if err == nil || errors.Is(err, bufio.ErrBufferFull) {
		f.first = bytes.Clone(line)
	}
	return nil
}

// errForm says that a file is compressed in a way that this program cannot read.
var errForm = errors.New("rolecall cannot read this form of compression")

// known returns err if it is about the form of a file.
func (f *file) known(err error) error {
	if errors.Is(err, errForm) {
		return f.problem(err)
	}
	return nil
}

// problem returns the error that a file is not read to its end.
func (f *file) problem(err error) error {
	return fmt.Errorf("%s is not read to its end: %w", filepath.Base(f.Name()), err)
}

// mayHave reports whether a filter may want lines of the file.
func (f *file) mayHave(filter Filter) bool {
	if !filter.Since.IsZero() && f.last.Before(filter.Since.Add(-skew)) {
		return false
	}
	return filter.Until.IsZero() || !timeOf(f.first).After(filter.Until.Add(skew))
}

// stream returns the text of the file, as long as the file was when it was opened.
func (f *file) stream() (io.ReadCloser, error) {
	var r io.Reader = io.NewSectionReader(f, 0, f.size)
	switch f.form {
	case plain:
		return io.NopCloser(r), nil
	case ".gz":
		return gzip.NewReader(bufio.NewReaderSize(r, block))
	case ".bz2":
		return io.NopCloser(bzip2.NewReader(bufio.NewReaderSize(r, block))), nil
	case ".zst":
		decoder, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxWindow))
		if err != nil {
			return nil, err
		}
		return decoder.IOReadCloser(), nil
	}
	return nil, errForm
}

// maxWindow bounds the memory that a file of zstd can ask for: 128 MiB is what zstd itself
// allows.
const maxWindow = 128 << 20

// began returns when the first line was written. If there is none, that is when the file was
// last written to.
func (f *file) began() time.Time {
	var e struct {
		Time time.Time `json:"time"`
	}
	if json.Unmarshal(f.first, &e) == nil && !e.Time.IsZero() {
		return e.Time
	}
	return f.last
}
