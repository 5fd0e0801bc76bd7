package mask

const (
	blockLen  = 4 // bytes of a block
	lastPlace = 7 // the last bit of early
	// hashBits and maxHashBits bound the bits of a block's hash. A table of few windows fits the L1
	// cache; one of many is larger, so that few blocks of a text are in it by chance.
	hashBits, maxHashBits = 17, 20
	fewWindows            = 30 // that a table of hashBits has room for
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

// newBlockSet returns the blocks of windows.
func newBlockSet(windows [][]byte) blockSet {
	bits := hashBits
	for room := fewWindows; room < len(windows) && bits < maxHashBits; room *= 2 {
		bits++
	}
	s := blockSet{bits: make([]uint32, 1<<(bits-5)), shift: 32 - bits, spelled: map[byte]spelled{}}
	behind := newTexts()
	for _, window := range windows {
		s.enter(window, behind)
	}
	return s
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

// enter adds the blocks of a window.
func (s *blockSet) enter(window []byte, behind *texts) {
	for i, c := range window {
		s.early[c] |= 1 << min(i, lastPlace)
	}
	s.escapes = s.escapes || isEscapable(window[0])
	for i := len(window) - 1; i >= 0; i-- {
		tokens, most := s.of(window[i]), min(blockLen, len(window)-i)
		if most == blockLen {
			s.addTails(tokens, behind)
		}
		behind.prepend(window[i], tokens, most)
		if most == blockLen {
			s.add(block{}, behind.broken[blockLen])
		}
	}
}

// addTails adds the blocks that begin within a token.
func (s *blockSet) addTails(tokens spelled, behind *texts) {
	for _, tail := range tokens.tails {
		s.add(tail, behind.broken[blockLen-tail.n])
	}
}

// add adds the blocks that begin with b and go on with one of rests.
func (s *blockSet) add(b block, rests []uint32) {
	for _, rest := range rests {
		h := s.hash(b.then(rest))
		s.bits[h>>5] |= 1 << (h & 31)
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
