package mask

// Finder finds the secrets in a text that comes in pieces, wherever the text is cut. It
// keeps no part of the text. Only one goroutine at a time may use a Finder. Any number of
// Finders can share Needles.
type Finder struct {
	needles *Needles
	at      node // stands for the longest end of the text that begins a form
	found   []bool
}

// NewFinder returns a Finder of the secrets of needles. With nil it finds nothing.
func NewFinder(needles *Needles) *Finder {
	return &Finder{needles: needles, found: make([]bool, needles.secrets())}
}

// Reset starts a new text, and clears Found.
func (f *Finder) Reset() {
	f.at = root
	clear(f.found)
}

// Found reports for each secret whether it was found since the last Reset. The order is
// that of the arguments of NewNeedles. The slice belongs to the Finder and changes with
// it.
func (f *Finder) Found() []bool { return f.found }

// Find searches p, the next piece of the text. It reports whether a form ends in p whose
// secret had not been found before.
func (f *Finder) Find(p []byte) bool {
	n, at, news := f.needles, f.at, false
	if n == nil {
		return false
	}
	for i := 0; i < len(p); {
		if at, i = n.follow(at, p, i); n.endsAt(at) && f.markFound(at) {
			news = true
		}
	}
	f.at = at
	return news
}

// markFound marks the secrets of all forms that end at a node: the longest form, and
// those that are its suffixes. It reports whether it has marked a secret for the first
// time.
func (f *Finder) markFound(at node) bool {
	n, news := f.needles, false
	for at = n.longest[at]; at != root; at = n.longest[n.fail[at]] {
		for form, whole := range n.whole {
			if whole == at && !f.found[n.owners[form]] {
				f.found[n.owners[form]] = true
				news = true
			}
		}
	}
	return news
}
