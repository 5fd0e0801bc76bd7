// Package runs finds runs of bytes of one alphabet in a text, such as a key or a token
// between blanks.
package runs

import "iter"

// Alphabet is a set of bytes.
type Alphabet [256]bool

// Of returns the alphabet of the bytes of all texts.
func Of(texts ...string) *Alphabet {
	var a Alphabet
	for _, text := range texts {
		for i := range len(text) {
			a[text[i]] = true
		}
	}
	return &a
}

// Has reports whether text has only bytes of the alphabet.
func (a *Alphabet) Has(text string) bool {
	for i := range len(text) {
		if !a[text[i]] {
			return false
		}
	}
	return true
}

// In returns the runs of at least the length least that begin in text[from:to], as start
// and end. A run is maximal: the byte before it and the byte after it are not of the
// alphabet. The whole text counts for that, also what is before from and after to.
//
// It looks at few bytes: a long run has a byte at each multiple of least, so most of the
// text between is skipped, as Boyer and Moore (1977) do.
func (a *Alphabet) In(text []byte, from, to, least int) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		start := a.next(text, from)
		for start < to && start+least <= len(text) {
			if other := a.lastOther(text[start : start+least]); other >= 0 {
				start += other + 1
				continue
			}
			end := start + least
			for end < len(text) && a[text[end]] {
				end++
			}
			if !yield(start, end) {
				return
			}
			start = end
		}
	}
}

// next returns the first index from from on at which a run may begin.
func (a *Alphabet) next(text []byte, from int) int {
	if from == 0 || !a[text[from-1]] {
		return from
	}
	for from < len(text) && a[text[from]] {
		from++
	}
	return from
}

// lastOther returns the index of the last byte of text that is not of the alphabet, or -1.
func (a *Alphabet) lastOther(text []byte) int {
	for i := len(text) - 1; i >= 0; i-- {
		if !a[text[i]] {
			return i
		}
	}
	return -1
}
