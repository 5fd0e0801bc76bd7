package mask

import "bytes"

const (
	everywhere = 0xff // the places of a byte that can be at any place of a form
	gapTokens  = 4    // how many tokens a gap can have that is read over
)

// ending returns at which places of a form the last byte of text can be, as bits from 0 on, if a form
// has begun in text and is not longer than a window yet; 0 means that none has. Line breaks at the end
// are in a gap.
func (n *Needles) ending(text []byte) byte {
	switch {
	case len(text) == 0:
		return 0
	case len(text) < blockLen, n.blocks.has(text[len(text)-blockLen:]):
		return everywhere
	}
	places := byte(0)
	for _, c := range text[len(text)-blockLen+1:] {
		switch c {
		case '\n', '\r':
			places |= (places<<1 | 1) & n.blocks.early[c] // of a gap, or of a form
		case '\\', '&':
			return everywhere
		default:
			places = (places<<1 | 1) & n.blocks.early[c]
		}
	}
	return places
}

// goesOn reports whether c may go on with a form that has begun in text and is not longer than a
// window yet. Places are those of ending.
func (n *Needles) goesOn(places byte, text []byte, c byte) bool {
	if places == everywhere || places<<1&n.blocks.early[c] == 0 {
		return places == everywhere
	}
	at := root
	for _, before := range text[len(text)-blockLen+1:] {
		switch {
		case before != '\n' && before != '\r':
			at = n.next(at, before)
		case n.blocks.early[before] != 0:
			return true
		}
	}
	after := n.next(at, c)
	return after != root && after != n.first[c]
}

// nextEscape returns the first index in data, from i on, of an escape sequence that may be
// within a window, and len(data) if there is none.
func (n *Needles) nextEscape(data []byte, i int) int {
	for {
		next := bytes.IndexByte(data[i:], escape)
		if next < 0 {
			return len(data)
		}
		i += next
		places := n.ending(data[:i])
		if places == 0 {
			i++
			continue
		}
		behind := n.behindGap(places, data, i)
		if behind == i {
			return i
		}
		i = behind
	}
}

// behindGap returns the index in p behind the gap that begins with the escape sequence at p[i], if no
// form goes on behind it that may have begun in front of it or in it: then both readings are together
// there, wherever the text is cut. Otherwise behindGap returns i. Places are those of p[:i].
func (n *Needles) behindGap(places byte, p []byte, i int) int {
	var inner [gapTokens]int // where the tokens end
	tokens, end := 0, i
	for end < len(p) && isSpecial(p[end]) {
		next, what, _ := tokenAt(p, end)
		if tokens == len(inner) || what != sequence && what != lineBreak {
			return i
		}
		inner[tokens] = next
		tokens++
		end = next
	}
	switch {
	case end == len(p):
		return i
	case n.blocks.early[p[end]]&^1 == 0:
		return end // it goes on with no form
	case n.goesOn(places, p[:i], p[end]):
		return i
	}
	for _, at := range inner[:tokens] {
		if n.goesOn(n.ending(p[:at]), p[:at], p[end]) {
			return i
		}
	}
	return end
}

// behindSequences returns the index in p behind the escape sequences from i on, and behind a line
// break among them unless there was one before.
func behindSequences(p []byte, i int, line bool) int {
	for i < len(p) && isSpecial(p[i]) {
		end, what, _ := tokenAt(p, i)
		if what != sequence && (what != lineBreak || line) {
			break
		}
		i, line = end, line || what == lineBreak
	}
	return i
}

// tokenAt says what begins with the special byte at p[i], as classify, and returns the index behind
// what this needs.
func tokenAt(p []byte, i int) (end int, what kind, char byte) {
	for end = behindParameters(p, i); what == unfinished && end < len(p) && end-i < maxToken; {
		end++
		what, char = classify(p[i:end])
	}
	return end, what, char
}

// behindParameters returns the index in p behind the parameters of the control sequence at p[i], and i
// if none is there.
func behindParameters(p []byte, i int) int {
	if p[i] != escape || i+1 == len(p) || p[i+1] != '[' {
		return i
	}
	end := i + 2
	for end < len(p) && end-i < maxToken && p[end] >= '0' && p[end] <= ';' {
		end++
	}
	return end
}
