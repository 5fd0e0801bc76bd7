package reading

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"iter"
)

// maxLine bounds a line. rolecall writes lines of at most 4096 bytes; a newer version may
// write longer ones. A longer line is passed over, and counts as foreign.
const maxLine = 64 << 10

// block is how much of a file is read at once.
const block = 256 << 10

// scanner reads lines.
type scanner struct {
	r    *bufio.Reader
	line []byte // without its newline, valid until the next call; nil if it is too long
	end  int64  // how many bytes were read, with this line and its newline
	done bool   // whether the line has a newline
	err  error  // why there is no next line
}

// newScanner returns a scanner of what r has.
func newScanner(r io.Reader) *scanner { return &scanner{r: bufio.NewReaderSize(r, block)} }

// next reads the next line, and reports whether there is one.
func (s *scanner) next() bool {
	if s.err != nil {
		return false
	}
	line, err := s.r.ReadSlice('\n')
	s.end += int64(len(line))
	long := len(bytes.TrimSuffix(line, []byte("\n"))) > maxLine
	for errors.Is(err, bufio.ErrBufferFull) {
		var more []byte
		more, err = s.r.ReadSlice('\n')
		s.end += int64(len(more))
		line = more
	}
	s.err, s.done = err, err == nil
	s.line = bytes.TrimSuffix(line, []byte("\n"))
	if long {
		s.line = nil
	}
	return long || len(line) > 0
}

// reversed returns the lines of a file that is not compressed, the last one first. They are
// valid until the next one; one that is too long is nil.
func (f *file) reversed() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		r := reverser{at: f.size, buffer: make([]byte, block+maxLine+1)}
		for r.at > 0 {
			if err := r.read(f); err != nil {
				yield(nil, err)
				return
			}
			if !r.lines(yield) {
				return
			}
		}
	}
}

// reverser reads a file by blocks, the last one first.
type reverser struct {
	at     int64  // where the text begins in the file
	buffer []byte // begins with the text
	text   []byte // what was read, and not returned
	long   bool   // whether the end of its last line was dropped
	ends   []int  // of its lines
}

// read puts the block before the text before the text.
func (r *reverser) read(from io.ReaderAt) error {
	if len(r.text) > maxLine {
		r.text, r.long = nil, true
	}
	n := int(min(block, r.at))
	copy(r.buffer[n:], r.text)
	r.text = r.buffer[:n+len(r.text)]
	r.at -= int64(n)
	_, err := from.ReadAt(r.buffer[:n], r.at)
	return err
}

// lines yields the lines of the text whose beginning is known, and takes them away. It reports
// whether more are wanted.
func (r *reverser) lines(yield func([]byte, error) bool) bool {
	r.split()
	for i := len(r.ends) - 1; i >= 0; i-- {
		line := r.text[r.ends[i]+1:]
		r.text = r.text[:r.ends[i]]
		if !r.give(line, yield) {
			return false
		}
	}
	return r.at > 0 || r.give(r.text, yield)
}

// split finds the newlines of the text.
func (r *reverser) split() {
	r.ends = r.ends[:0]
	for from := 0; ; {
		i := bytes.IndexByte(r.text[from:], '\n')
		if i < 0 {
			return
		}
		r.ends = append(r.ends, from+i)
		from += i + 1
	}
}

// give yields a line, or nil if it is too long.
func (r *reverser) give(line []byte, yield func([]byte, error) bool) bool {
	if r.long || len(line) > maxLine {
		line = nil
	}
	r.long = false
	return yield(line, nil)
}
