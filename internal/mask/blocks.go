package mask

import (
	"bytes"
	"slices"
)

const (
	blockLen  = 4 // bytes of a block
	lastPlace = 7 // the last bit of early
	// hashBits and maxHashBits bound the bits of a block's hash. A table of few forms fits the L1
	// cache; one of many is larger, so that few blocks of a text are in it by chance.
	hashBits, maxHashBits = 17, 20
	fewForms              = 40 // that a table of hashBits has room for
)

// blockSet has the blocks that windows can have, in the text as it is, with line breaks, and
// with tokens for characters. A window is the first bytes of a form in a text, and has the
// same length for all forms.
type blockSet struct {
	bits  []uint32 // has a bit for each hash of a block
	shift int      // 32 less the bits of a hash
	// early has for each byte at which places of a window it can be, as bits from 0 on. The last
	// bit is for all later places, too.
	early   [256]byte
	escapes bool             // a form can begin with a token for a character
	spelled map[byte]spelled // of the characters that were asked for
}

// spelled is what blocks can have of the tokens for a character, each once.
type spelled struct {
	heads [blockLen + 1][]string // by a number of bytes: the tokens, cut to that many
	tails []string               // what tokens end with, without their first byte or more, cut to a block
}

// newBlockSet returns a blockSet for that many forms.
func newBlockSet(forms int) blockSet {
	bits := hashBits
	for room := fewForms; room < forms && bits < maxHashBits; room *= 2 {
		bits++
	}
	return blockSet{bits: make([]uint32, 1<<(bits-5)), shift: 32 - bits, spelled: map[byte]spelled{}}
}

// of returns what blocks can have of the tokens for a character.
func (s *blockSet) of(c byte) spelled {
	if !isEscapable(c) {
		return spelled{}
	}
	all, known := s.spelled[c]
	if !known {
		all = newSpelled(spellings(c))
		s.spelled[c] = all
	}
	return all
}

// newSpelled returns what blocks can have of tokens.
func newSpelled(tokens []string) spelled {
	var all spelled
	for _, token := range tokens {
		for room := range all.heads {
			all.heads[room] = append(all.heads[room], token[:min(room, len(token))])
		}
		for at := 1; at < len(token); at++ {
			all.tails = append(all.tails, token[at:min(at+blockLen, len(token))])
		}
	}
	for room := range all.heads {
		all.heads[room] = once(all.heads[room])
	}
	all.tails = once(all.tails)
	return all
}

// once returns texts without repeats.
func once(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

// block is the beginning of a block: n bytes, of which the first is the lowest.
type block struct {
	bits uint32
	n    int
}

// with returns b with one more byte. If b is a whole block, it may return anything that is.
func (b block) with(c byte) block { return block{b.bits | uint32(c)<<(8*b.n), b.n + 1} }

// withToken returns b with as much of token as there is room for.
func (b block) withToken(token string) block {
	for i := 0; i < len(token) && b.n < blockLen; i++ {
		b = b.with(token[i])
	}
	return b
}

// enter adds the blocks that begin in the first stride bytes of forms.
func (n *Needles) enter(forms [][]byte) {
	window := n.stride + blockLen - 1
	for i, form := range forms {
		known := func(other []byte) bool { return bytes.Equal(other[:window], form[:window]) }
		if !slices.ContainsFunc(forms[:i], known) {
			n.blocks.enter(form, n.stride)
		}
	}
}

// enter adds the blocks of a form that begin in its first stride bytes.
func (s *blockSet) enter(form []byte, stride int) {
	for i, c := range form[:stride+blockLen-1] {
		s.early[c] |= 1 << min(i, lastPlace)
	}
	s.escapes = s.escapes || isEscapable(form[0])
	for i, c := range form[:stride] {
		s.add(block{}, form[i:])
		for _, tail := range s.of(c).tails {
			s.add(block{}.withToken(tail), form[i+1:])
		}
	}
}

// add adds all blocks that begin with b and go on with the bytes of rest, after a line break
// or at once.
func (s *blockSet) add(b block, rest []byte) {
	s.addText(b, rest)
	if b.n < blockLen {
		s.addText(b.with('\n'), rest)
		s.addText(b.withToken("\r\n"), rest)
	}
}

// addText adds all blocks that begin with b and go on with the bytes of rest at once.
func (s *blockSet) addText(b block, rest []byte) {
	if b.n == blockLen {
		h := s.hash(b.bits)
		s.bits[h>>5] |= 1 << (h & 31)
		return
	}
	s.add(b.with(rest[0]), rest[1:])
	for _, head := range s.of(rest[0]).heads[blockLen-b.n] {
		s.add(b.withToken(head), rest[1:])
	}
}

// hash returns the index of a block in the table.
func (s *blockSet) hash(bits uint32) uint32 { return bits * 0x9E3779B1 >> s.shift }

// has reports whether a window can have the block that data begins with.
func (s *blockSet) has(data []byte) bool {
	_ = data[blockLen-1] // the compiler then needs only one check and one load
	h := s.hash(uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24)
	return s.bits[h>>5]&(1<<(h&31)) != 0
}

// begins reports whether c can begin a token for the first character of a form.
func (s *blockSet) begins(c byte) bool { return s.escapes && (c == '\\' || c == '&') }
