package mask

import "io"

// span is a run of covered bytes, by offset in the input.
type span struct{ from, to int64 }

// scan follows the needles through data from index i on, and notes what is
// covered.
func (w *Writer) scan(data []byte, i int) {
	n, at := w.needles, w.at
	for i < len(data) {
		if at, i = n.follow(at, data, i); n.endsAt(at) {
			w.cover(w.base+int64(i), n.depth(n.longest[at]))
		}
	}
	w.at = at
}

// cover notes that the length bytes before offset end are covered, where no
// noted offset is beyond end.
func (w *Writer) cover(end int64, length int) {
	// What has been decided before base is covered if the form begins there.
	from := max(end-int64(length), w.base)
	last := len(w.covered)
	for last > 0 && w.covered[last-1].to >= from {
		last--
		from = min(from, w.covered[last].from)
	}
	w.covered = append(w.covered[:last], span{from, end})
}

// forgetGone removes the covered bytes before base.
func (w *Writer) forgetGone() {
	kept := w.covered[:0]
	for _, s := range w.covered {
		if s.to > w.base {
			kept = append(kept, span{max(s.from, w.base), s.to})
		}
	}
	w.covered = kept
}

// emit writes data, which begins at base, up to the offset end or the end of the
// run of covered bytes around it, and returns how many bytes of data that are.
func (w *Writer) emit(data []byte, end int64) int {
	if len(w.covered) > 0 {
		return w.emitMasked(data, end)
	}
	// Of what may begin a form, covered bytes may be gone.
	decided := max(0, int(end-w.base))
	if decided > 0 {
		w.masking = false
		w.base = end
		w.write(data[:decided])
	}
	return decided
}

// emitMasked does what emit does where bytes are covered.
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

// write writes p, if there is anything, to the underlying writer.
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
