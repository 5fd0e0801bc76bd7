package mask

// NewNeedlesOf returns what finds forms as they are, of at least 4 bytes each:
// short ones over few letters overlap in ways that those of a secret rarely do.
func NewNeedlesOf(forms [][]byte) *Needles { return newNeedles(forms) }

// Footprint returns how many bytes of memory w keeps between writes.
func (w *Writer) Footprint() int { return cap(w.buffer) + cap(w.out) + 16*cap(w.covered) }
