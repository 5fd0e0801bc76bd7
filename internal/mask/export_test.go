package mask

// NewNeedlesOf returns what finds forms as they are, each a secret of its own,
// of at least 4 bytes each: short ones over few letters overlap in ways that
// those of a secret rarely do.
func NewNeedlesOf(forms [][]byte) *Needles { return (*Needles)(nil).of(forms) }

// of adds forms, each as a secret of its own.
func (n *Needles) of(forms [][]byte) *Needles {
	if len(forms) == 0 {
		return n
	}
	owners := make([]int, len(forms))
	for i := range owners {
		owners[i] = n.secrets() + i
	}
	return n.withForms(forms, owners)
}

// AddForms does what Add does, with forms as they are.
func (m *Masks) AddForms(forms [][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.share(m.needles.of(forms))
}

// Footprint returns how many bytes of memory w keeps between writes.
func (w *Writer) Footprint() int {
	return cap(w.buffer) + cap(w.out) + 24*cap(w.covered) + 48*cap(w.reader.plain.jumps) + 32*cap(w.reader.hits)
}

// Covered reports which bytes of text n finds to be of a secret.
func Covered(n *Needles, text []byte) []bool {
	covered := make([]bool, len(text))
	r := reader{needles: n}
	r.begin(0)
	mark := func() {
		for _, h := range r.hits {
			for i := h.from; i < h.to; i++ {
				covered[i] = true
			}
		}
	}
	for i := 0; i < len(text); mark() {
		i = r.next(text, i)
	}
	r.close(int64(len(text)))
	mark()
	return covered
}
