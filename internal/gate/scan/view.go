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
	switch {
	case v == nil:
	case len(piece) >= 8*v.reach:
		v.addLarge(piece)
	default:
		v.fill(piece)
	}
}

// fill copies a piece to the part that is held.
func (v *view) fill(piece []byte) {
	if v.text == nil {
		v.text = make([]byte, 0, max(viewLen, 8*v.reach))
	}
	for len(piece) > 0 {
		room := piece[:min(len(piece), cap(v.text)-len(v.text))]
		v.text, piece = append(v.text, room...), piece[len(room):]
		if len(v.text) == cap(v.text) {
			v.decide(v.text, len(v.text)-v.reach)
			v.keep(v.text)
		}
	}
}

// addLarge adds a piece, of which it copies no more than the ends.
func (v *view) addLarge(piece []byte) {
	v.fill(piece[:2*v.reach])
	v.decide(v.text, len(v.text)-v.reach)
	v.keep(v.text) // which is the beginning of the piece
	v.decide(piece, len(piece)-v.reach)
	v.keep(piece)
}

// end says that the text is complete.
func (v *view) end() {
	if v != nil {
		v.decide(v.text, len(v.text))
	}
}

// decide looks for places that begin before to in a part of the text.
func (v *view) decide(part []byte, to int) {
	if v.issued != nil {
		v.issued.Find(part, v.done, to, func(_ int, kind string) { v.worker.addIssued(v.depth, kind) })
	}
	if v.foreign != nil && !v.limited {
		v.foreign.Find(part, v.done, to, func(at int, kind string) {
			v.worker.addForeign(v.depth, kind, 1+v.lines+bytes.Count(part[:at], []byte("\n")))
		})
	}
	v.done = to
}

// keep holds the end of a part, which the next places may need: decide has looked for
// places up to the reach from its end.
func (v *view) keep(part []byte) {
	gone := max(0, v.done-v.reach)
	v.lines += bytes.Count(part[:gone], []byte("\n"))
	v.text = append(v.text[:0], part[gone:]...)
	v.done -= gone
}
