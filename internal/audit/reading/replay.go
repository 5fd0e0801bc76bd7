package reading

import (
	"bytes"
	"iter"
	"math"
)

// kept bounds how many bytes of a compressed file replayed keeps.
const kept = 16 << 20

// replayed returns those lines of a compressed file that the filter may want, the last one
// first. Such a file can only be read from its beginning. So the last lines are kept, and if
// more are wanted than fit, the file is read again up to the first of these.
func (l *Log) replayed(f *file, filter Filter) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w, err := replay(f, filter, math.MaxInt, &l.unread)
		l.fail(f, err)
		for w.give(yield) && w.first > 0 {
			w, _ = replay(f, filter, w.first, new(Unread)) // what is wrong with the file is known
		}
	}
}

// replay reads a compressed file up to the wanted line with number end, or to its end, and
// returns the last wanted lines. It counts lines that are misshapen.
func replay(f *file, filter Filter, end int, unread *Unread) (window, error) {
	var w window
	r, err := f.stream()
	if err != nil {
		return w, err
	}
	defer r.Close()
	s := newScanner(r)
	for w.next() < end && s.next() {
		if sound(s.line, unread) && filter.wants(s.line) {
			w.keep(s.line)
		}
	}
	return w, s.err
}

// window is the last lines of many.
type window struct {
	lines [][]byte
	first int // the number of the first one
	bytes int // of all
}

// give yields the lines, the last one first. It reports whether more are wanted.
func (w *window) give(yield func([]byte, error) bool) bool {
	for i := len(w.lines) - 1; i >= 0; i-- {
		if !yield(w.lines[i], nil) {
			return false
		}
	}
	return true
}

// next returns the number of the next line.
func (w *window) next() int { return w.first + len(w.lines) }

// keep adds a line, and drops the first ones if they are too many.
func (w *window) keep(line []byte) {
	w.lines = append(w.lines, bytes.Clone(line))
	w.bytes += len(line) + perLine
	for w.bytes > kept && len(w.lines) > 1 {
		w.bytes -= len(w.lines[0]) + perLine
		w.lines[0] = nil
		w.lines = w.lines[1:]
		w.first++
	}
}

// perLine is what a kept line takes beside its text.
const perLine = 32
