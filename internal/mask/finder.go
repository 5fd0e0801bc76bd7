package mask

// Finder tells which secrets are in a text that comes in pieces, however it is
// cut. It keeps nothing of the text. A Finder must not be used by two goroutines
// at the same time; any number of them can share Needles.
type Finder struct {
	needles *Needles
	at      node // what the end of the text may be the beginning of
	found   []bool
}

// NewFinder returns a Finder of the secrets that needles were made of.
func NewFinder(needles *Needles) *Finder {
	return &Finder{needles: needles, found: make([]bool, needles.secrets())}
}

// Reset begins a new text, in which nothing has been found.
func (f *Finder) Reset() {
	f.at = root
	clear(f.found)
}

// Found returns what has been found since the last Reset, by position in the
// arguments of NewNeedles. It is the Finder's own and changes with it.
func (f *Finder) Found() []bool { return f.found }

// Find looks at p, the next piece of the text, and reports whether it completes
// a form of a secret that had not been found before.
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

// markFound marks the secrets of all forms that end at a node: of the longest one
// and of those that are its suffixes. It reports whether one of the secrets had
// not been found before.
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
