package scan

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"rolecall/internal/mask"
)

// format is how something is packed.
type format int

const (
	plain   format = iota // not at all, as far as we know
	program               // not by its beginning, but a zip may follow
	zipped
	tarred
	gzipped
	zstandard
)

// headLen is how many bytes tell a format.
const headLen = 512

// formatOf returns the format of what begins with head.
func formatOf(head []byte) format {
	if len(head) < 4 {
		return plain
	}
	switch {
	case head[0] == 'P' && head[1] == 'K' && (head[2] == 3 && head[3] == 4 || isEnd(head)):
		return zipped
	case head[0] == 0x1f && head[1] == 0x8b && head[2] == 8 && head[3]&0xe0 == 0:
		return gzipped
	case head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd,
		head[0]&0xf0 == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18: // a skippable frame
		return zstandard
	case isTar(head):
		return tarred
	case head[0] == 'M' && head[1] == 'Z', head[0] == '#' && head[1] == '!', bytes.HasPrefix(head, []byte("\x7fELF")):
		return program
	}
	return plain
}

// isTar reports whether head is that of a tar, which all its dialects tell by a
// checksum in octal digits.
func isTar(head []byte) bool {
	const from, to = 148, 156
	if len(head) < headLen {
		return false
	}
	want, digits := 0, 0
	unsigned, signed := (to-from)*int(' '), (to-from)*int(' ') // Old ones took bytes for signed.
	for _, c := range head[from:to] {
		switch {
		case '0' <= c && c <= '7':
			want = want<<3 | int(c-'0')
			digits++
		case c != 0 && c != ' ':
			return false
		}
	}
	if digits == 0 {
		return false
	}
	for i, c := range head[:headLen] {
		if i < from || i >= to {
			unsigned += int(c)
			signed += int(int8(c)) //nolint:gosec // a byte above 127 is to be negative
		}
	}
	return want == unsigned || want == signed
}

// input is what to look into: a file, or what an archive holds.
type input struct {
	stream   io.Reader
	random   *io.SectionReader // the same to be read anywhere, or nil
	searched bool              // the bytes as they are have been searched
	unpacked bool              // it is what gzip or zstd has packed
}

// look searches in unless that is done, and looks into it if it is an archive.
func (w *worker) look(in input) {
	l := w.enter()
	defer w.leave()
	var r io.Reader = metered{in.stream, w.meter}
	if !in.searched {
		l.finder.Reset()
		r = searching{r, w, l.finder}
	}
	l.reader.Reset(r)
	head, _ := l.reader.Peek(headLen) // An error comes back with the next Read.
	packed := formatOf(head)
	if packed == plain || packed == program {
		packed = w.formatByEnd(in.random, packed)
	}
	if packed != plain {
		w.unpackAt(packed, l, in)
	}
	if !in.searched {
		drain(l.reader)
	}
}

// unpackAt looks into an archive, if it is not too deep.
func (w *worker) unpackAt(packed format, l *layer, in input) {
	depth := w.depth
	if packed != tarred || !in.unpacked {
		w.depth++
	}
	if w.depth > MaxDepth {
		w.problem(ErrDepth)
	} else if err := w.unpack(packed, l, in); err != nil {
		w.failed(err)
	}
	w.depth = depth
}

// unpack looks at what an archive holds. It returns why it could not go on.
func (w *worker) unpack(packed format, l *layer, in input) error {
	switch packed {
	case zipped:
		return w.unzip(l, in)
	case tarred:
		return w.untar(l, in)
	case gzipped:
		return w.gunzip(l)
	}
	return w.unzstd(l.reader, true)
}

// failed notes that the archive where the worker is cannot be unpacked further.
func (w *worker) failed(err error) {
	var system unix.Errno
	switch {
	case w.meter.stopped() != nil: // which is why
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		w.problem(ErrMemory)
	case errors.As(err, &system):
		w.problem(system)
	case errors.Is(err, ErrMemory), errors.Is(err, ErrSpool), errors.Is(err, ErrMethod), errors.Is(err, ErrEncrypted):
		w.problem(err)
	default:
		w.problem(ErrDamaged)
	}
}

// decoded looks at what a decoder gives. It returns the decoder's error.
func (w *worker) decoded(decoder io.Reader, unpacked bool) error {
	f := &fallible{Reader: decoder}
	w.look(input{stream: f, unpacked: unpacked})
	return f.err
}

// fallible ends where its reader fails, and keeps the error.
type fallible struct {
	io.Reader
	err error
}

// Read never returns 0 and no error.
func (f *fallible) Read(p []byte) (int, error) {
	for {
		n, err := f.Reader.Read(p)
		if err != nil && !errors.Is(err, io.EOF) {
			f.err, err = err, io.EOF
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// searching searches what is read.
type searching struct {
	io.Reader
	worker *worker
	finder *mask.Finder
}

func (s searching) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.finder.Find(p[:n]) {
		s.worker.found(s.finder)
	}
	return n, err
}

// drain reads all that is left.
func drain(r *bufio.Reader) {
	for {
		if _, err := r.Discard(layerLen); err != nil {
			return
		}
	}
}
