package mask

import (
	"io"
	"slices"
)

// resetColours ends all colours (ECMA-48, 8.3.117). It stands behind a Masked that hides
// an escape sequence: this one might have ended the colour of what stands before.
const resetColours = "\x1b[m"

// span is a run of covered bytes, by offset in the input.
type span struct {
	from, to int64
	escaped  bool // escape sequences are in it
}

// scan searches data, which begins at base, from index i on for forms, and marks the bytes
// that they cover.
func (w *Writer) scan(data []byte, i int) {
	w.reader.begin(w.base)
	for i < len(data) {
		i = w.reader.next(data, i)
		w.coverHits()
	}
}

// coverHits marks the bytes of hits as covered.
func (w *Writer) coverHits() {
	for _, h := range w.reader.hits {
		// The bytes before base have been written already.
		if h.to > w.base {
			w.cover(span{max(h.from, w.base), h.to, h.escaped})
		}
	}
}

// cover marks the bytes of s as covered.
func (w *Writer) cover(s span) {
	first := len(w.covered)
	for first > 0 && w.covered[first-1].to >= s.from {
		first--
	}
	end := first
	for end < len(w.covered) && w.covered[end].from <= s.to {
		known := w.covered[end]
		s = span{min(s.from, known.from), max(s.to, known.to), s.escaped || known.escaped}
		end++
	}
	w.covered = slices.Replace(w.covered, first, end, s)
}

// emit writes the bytes of data, which begins at base, up to the offset end. If end is
// within covered bytes, it writes up to their end. It returns how many bytes of data it
// has written.
func (w *Writer) emit(data []byte, end int64) int {
	if len(w.covered) > 0 {
		return w.emitMasked(data, end)
	}
	// end is before base if covered bytes of a possible form have been written already.
	decided := max(0, int(end-w.base))
	if decided > 0 {
		w.masking = false
		w.base = end
		w.write(data[:decided])
	}
	return decided
}

// emitMasked is emit for data with covered bytes.
func (w *Writer) emitMasked(data []byte, end int64) int {
	start, from := w.base, w.base
	end = max(end, start)
	w.out = w.out[:0]
	gone := 0
	for _, s := range w.covered {
		if s.from > end {
			break
		}
		w.out = append(w.out, data[from-start:s.from-start]...)
		w.mark(s, s.from > from)
		from, w.masking = s.to, true
		end = max(end, s.to)
		gone++
	}
	w.covered = w.covered[:copy(w.covered, w.covered[gone:])]
	w.masking = w.masking && from == end
	w.base = end
	w.out = append(w.out, data[from-start:end-start]...)
	w.write(w.out)
	return int(end - start)
}

// mark appends to the output what stands for a span. isNew means that the byte before it is
// not covered.
func (w *Writer) mark(s span, isNew bool) {
	if isNew || !w.masking {
		w.out = append(w.out, Masked...)
		w.marks++
		w.reset = false
	}
	if s.escaped && !w.reset {
		w.out = append(w.out, resetColours...)
		w.reset = true
	}
}

// write writes p to the underlying writer, unless p is empty.
func (w *Writer) write(p []byte) {
	if len(p) == 0 {
		return
	}
	n, err := w.to.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	w.err = err
}
