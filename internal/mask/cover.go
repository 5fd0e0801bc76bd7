package mask

import "io"

// span is a run of covered bytes, by offset in the input.
type span struct{ from, to int64 }

// scan searches data from index i on for forms, and marks the bytes that they cover.
func (w *Writer) scan(data []byte, i int) {
	n, at := w.needles, w.at
	for i < len(data) {
		if at, i = n.follow(at, data, i); n.endsAt(at) {
			w.cover(w.base+int64(i), n.depth(n.longest[at]))
		}
	}
	w.at = at
}

// cover marks the length bytes before offset end as covered. No marked byte may be at or
// after end.
func (w *Writer) cover(end int64, length int) {
	// The bytes before base have been written already.
	from := max(end-int64(length), w.base)
	last := len(w.covered)
	for last > 0 && w.covered[last-1].to >= from {
		last--
		from = min(from, w.covered[last].from)
	}
	w.covered = append(w.covered[:last], span{from, end})
}

// forgetGone removes the marks of bytes before base.
func (w *Writer) forgetGone() {
	kept := w.covered[:0]
	for _, s := range w.covered {
		if s.to > w.base {
			kept = append(kept, span{max(s.from, w.base), s.to})
		}
	}
	w.covered = kept
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
		if s.from > from || !w.masking {
			w.out = append(w.out, Masked...)
			w.marks++
		}
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
