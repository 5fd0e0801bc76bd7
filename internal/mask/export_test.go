package mask

// NewNeedlesOf returns what finds forms as they are, each a secret of its own,
// of at least 4 bytes each: short ones over few letters overlap in ways that
// those of a secret rarely do.
func NewNeedlesOf(forms [][]byte) *Needles {
	owners := make([]int, len(forms))
	for i := range owners {
		owners[i] = i
	}
	return newNeedles(forms, owners)
}

// Footprint returns how many bytes of memory w keeps between writes.
func (w *Writer) Footprint() int { return cap(w.buffer) + cap(w.out) + 16*cap(w.covered) }
