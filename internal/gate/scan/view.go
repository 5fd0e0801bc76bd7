package scan

import "bytes"

// viewLen is how many bytes of a text a view holds at least.
const viewLen = 64 << 10

// Search finds in a text what depends on the bytes around it, such as a key with its
// secret beside it. A scan calls it for parts of a text.
type Search interface {
	// Reach returns how many bytes before and after a place Find needs to see.
	Reach() int
	// Find calls found for each place that begins in text[from:to], with its index in
	// text and a word for what is there.
	Find(text []byte, from, to int, found func(at int, kind string))
}

// view hands a text that comes in pieces to searches. It holds a part of the text. A nil
// view searches nothing.
type view struct {
	worker  *worker
	issued  Search // may be nil
	foreign Search // may be nil
	limited bool   // foreign is not looked for in the text
	reach   int
	depth   int    // number of the worker's names that lead to the text
	text    []byte // the part of the text that is held
	done    int    // index in text of the first byte at which a place has not been looked for
	lines   int    // number of newlines in the text before the part
}

// newView returns a view of the worker's scan, or nil if the scan has no searches.
func newView(w *worker) *view {
	v := &view{worker: w}
	if w.options.Issued != nil {
		v.issued = w.options.Issued()
		v.reach = v.issued.Reach()
	}
	if w.options.Foreign != nil {
		v.foreign = w.options.Foreign()
		v.reach = max(v.reach, v.foreign.Reach())
	}
	if v.reach == 0 {
		return nil
	}
	return v
}

// begin begins a new text. It is in the file or the member that the worker is at.
func (v *view) begin() {
	if v != nil {
		v.text, v.done, v.lines, v.depth = v.text[:0], 0, 0, len(v.worker.path)
		v.limited = v.worker.options.OnlyStrict && !v.worker.isStrict(v.depth)
	}
}

// add adds the next piece of the text.
func (v *view) add(piece []byte) {
	if v == nil {
		return
	}
	if v.text == nil {
		v.text = make([]byte, 0, max(viewLen, 8*v.reach))
	}
	for len(piece) > 0 {
		room := piece[:min(len(piece), cap(v.text)-len(v.text))]
		v.text, piece = append(v.text, room...), piece[len(room):]
		if len(v.text) == cap(v.text) {
			v.decide(len(v.text) - v.reach)
			v.shift()
		}
	}
}

// end says that the text is complete.
func (v *view) end() {
	if v != nil {
		v.decide(len(v.text))
	}
}

// decide looks for places that begin before to.
func (v *view) decide(to int) {
	if v.issued != nil {
		v.issued.Find(v.text, v.done, to, func(_ int, kind string) { v.worker.addIssued(v.depth, kind) })
	}
	if v.foreign != nil && !v.limited {
		v.foreign.Find(v.text, v.done, to, func(at int, kind string) {
			v.worker.addForeign(v.depth, kind, 1+v.lines+bytes.Count(v.text[:at], []byte("\n")))
		})
	}
	v.done = to
}

// shift drops the bytes that no search needs any more.
func (v *view) shift() {
	gone := v.done - v.reach
	v.lines += bytes.Count(v.text[:gone], []byte("\n"))
	v.text = v.text[:copy(v.text, v.text[gone:])]
	v.done = v.reach
}
