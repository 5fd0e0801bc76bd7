package scan

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"
)

// format is the format of a file or a member.
type format int

const (
	plain   format = iota // not a known archive
	program               // a program, which a zip may follow
	zipped
	tarred
	gzipped
	zstandard
)

// headLen is how many bytes formatOf needs at most.
const headLen = 512

// formatOf returns the format of content that begins with head.
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

// isTar reports whether head is the header of a tar. All variants of tar have a checksum
// in octal digits.
func isTar(head []byte) bool {
	const from, to = 148, 156
	if len(head) < headLen {
		return false
	}
	want, digits := 0, 0
	unsigned, signed := (to-from)*int(' '), (to-from)*int(' ') // Old versions of tar summed signed bytes.
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
			signed += int(int8(c)) //nolint:gosec // a byte above 127 must become negative
		}
	}
	return want == unsigned || want == signed
}

// input is content to search: a file, or a member of an archive.
type input struct {
	stream   io.Reader
	random   *io.SectionReader // the same content with random access, or nil
	searched bool              // the bytes themselves have been searched
	unpacked bool              // gzip or zstd had compressed it
}

// search searches in, and its members if it is an archive.
func (w *worker) search(in input) {
	l := w.pushLayer()
	defer w.popLayer()
	var r io.Reader = metered{in.stream, w.meter}
	if !in.searched {
		l.finder.Reset()
		l.view.begin()
		r = searching{r, w, l}
	}
	l.reader.Reset(r)
	head, _ := l.reader.Peek(headLen) // The next Read returns the error, if any.
	packed := formatOf(head)
	if packed == plain || packed == program {
		packed = w.formatByEnd(in.random, packed)
	}
	if packed != plain {
		w.unpackAt(packed, l, in)
	}
	if !in.searched {
		drain(l.reader)
		l.view.end()
	}
}

// unpackAt searches the members of an archive, unless it is nested too deep.
func (w *worker) unpackAt(packed format, l *layer, in input) {
	depth := w.depth
	if packed != tarred || !in.unpacked {
		w.depth++
	}
	if w.depth > MaxDepth {
		w.addProblem(ErrDepth)
	} else if err := w.unpack(packed, l, in); err != nil {
		w.addFailure(err)
	}
	w.depth = depth
}

// unpack searches the members of an archive. It returns why it could not go on.
func (w *worker) unpack(packed format, l *layer, in input) error {
	switch {
	case packed == zipped && in.random == nil:
		return w.unspool(l)
	case packed == zipped:
		return w.unzip(in.random, in.searched)
	case packed == tarred:
		return w.untar(l, in)
	case packed == gzipped:
		return w.gunzip(l)
	}
	return w.unzstd(l.reader, true)
}

// addFailure adds the problem that the current archive cannot be unpacked further.
func (w *worker) addFailure(err error) {
	var system unix.Errno
	switch {
	case w.meter.stopped() != nil: // endFile reports that
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		w.addProblem(ErrMemory)
	case errors.As(err, &system):
		w.addProblem(system)
	case errors.Is(err, ErrMemory), errors.Is(err, ErrSpool), errors.Is(err, ErrMethod), errors.Is(err, ErrEncrypted), errors.Is(err, ErrShorter):
		w.addProblem(err)
	default:
		w.addProblem(ErrDamaged)
	}
}

// searchDecoded searches the output of a decoder. It returns the decoder's error.
func (w *worker) searchDecoded(decoder io.Reader, unpacked bool) error {
	f := &fallible{Reader: decoder}
	w.search(input{stream: f, unpacked: unpacked})
	return f.err
}

// fallible is a reader that ends when its own reader fails, and keeps the error.
type fallible struct {
	io.Reader
	err error
}

// Read reads at least one byte or returns an error.
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

// searching searches the bytes that are read through it.
type searching struct {
	io.Reader
	worker *worker
	layer  *layer
}

func (s searching) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if s.layer.finder.Find(p[:n]) {
		s.worker.addFound(s.layer.finder)
	}
	s.layer.view.add(p[:n])
	return n, err
}

// drain reads r to its end.
func drain(r *bufio.Reader) {
	for {
		if _, err := r.Discard(layerLen); err != nil {
			return
		}
	}
}
