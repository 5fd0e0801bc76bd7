package mask

// Finder finds the secrets in a text that comes in pieces, wherever the text is cut. It
// keeps no part of the text. Only one goroutine at a time may use a Finder. Any number of
// Finders can share Needles.
type Finder struct {
	reader reader
	found  []bool
}

// NewFinder returns a Finder of the secrets of needles. With nil it finds nothing.
func NewFinder(needles *Needles) *Finder {
	return &Finder{reader: reader{needles: needles}, found: make([]bool, needles.secrets())}
}

// Reset starts a new text, and clears Found.
func (f *Finder) Reset() {
	f.reader.at, f.reader.apart = root, false
	clear(f.found)
}

// Found reports for each secret whether it was found since the last Reset. The order is
// that of the arguments of NewNeedles. The slice belongs to the Finder and changes with
// it.
func (f *Finder) Found() []bool { return f.found }

// Find searches p, the next piece of the text. It reports whether a form ends in p whose
// secret had not been found before.
func (f *Finder) Find(p []byte) bool {
	news := false
	if f.reader.needles == nil {
		return false
	}
	f.reader.begin(0)
	for i := 0; i < len(p); {
		i = f.reader.next(p, i)
		for _, h := range f.reader.hits {
			news = f.markFound(h.at) || news
		}
	}
	return news
}

// markFound marks the secrets of all forms that end at a node: the longest form, and
// those that are its suffixes. It reports whether it has marked a secret for the first
// time.
func (f *Finder) markFound(at node) bool {
	n, news := f.reader.needles, false
	n.linkBeyond() // others may be completing whole
	for at = n.longest(at); at != root; at = n.longest(n.fail[at]) {
		for form, whole := range n.whole {
			if whole == at && !f.found[n.owners[form]] {
				f.found[n.owners[form]] = true
				news = true
			}
		}
	}
	return news
}
