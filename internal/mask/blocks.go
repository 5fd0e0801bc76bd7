package mask

const (
	blockLen  = 4 // bytes of a block
	lastPlace = 7 // the last bit of early
	// hashBits and maxHashBits bound the bits of a block's hash. A table of few windows fits the L1
	// cache; one of many is larger, so that few blocks of a text are in it by chance.
	hashBits, maxHashBits = 17, 20
	fewWindows            = 30 // that a table of hashBits has room for
	pageLen               = 4096
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

// newBlockSet returns the blocks of windows, which are sorted.
func newBlockSet(windows [][]byte) blockSet {
	bits := hashBits
	for room := fewWindows; room < len(windows) && bits < maxHashBits; room *= 2 {
		bits++
	}
	s := blockSet{bits: make([]uint32, 1<<(bits-5)), shift: 32 - bits, spelled: map[byte]spelled{}}
	for i := 0; i < len(s.bits); i += pageLen / 4 {
		s.bits[i] = 0 // a page that is read before it is written costs the kernel two faults
	}
	behind := newTexts()
	var before []byte
	for _, window := range windows {
		s.enter(window, shared(before, window), behind)
		before = window
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

// shared returns with how many bytes both texts begin, if they have one length or a is empty.
func shared(a, b []byte) int {
	n := 0
	for n < len(a) && a[n] == b[n] {
		n++
	}
	return n
}

// enter adds the blocks of a window. Those within its first bytes are known.
func (s *blockSet) enter(window []byte, known int, behind *texts) {
	for i, c := range window {
		s.early[c] |= 1 << min(i, lastPlace)
	}
	s.escapes = s.escapes || isEscapable(window[0])
	token, at := len(window), len(window) // the next character with tokens; behind is what stands from at on
	for i := len(window) - 1; i > known-blockLen && i >= 0; i-- {
		if isEscapable(window[i]) {
			token = i
		}
		switch whole := i+blockLen <= len(window); {
		case whole && token < i+blockLen:
			s.enterSpelled(window[i:i+blockLen], at-i, behind)
			at = i
		case whole:
			s.enterPlain(newBlock(window[i:]).bits)
		}
	}
}

// enterSpelled adds the blocks of a block with tokens for its characters. Behind is what stands from its
// character at on.
func (s *blockSet) enterSpelled(text []byte, at int, behind *texts) {
	for i := min(at, blockLen) - 1; i > 0; i-- {
		behind.prepend(text[i], s.of(text[i]), blockLen-i)
	}
	tokens := s.of(text[0])
	s.addTails(tokens, behind)
	behind.prepend(text[0], tokens, blockLen)
	s.add(block{}, behind.broken[blockLen])
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
		s.put(b.then(rest))
	}
}

// put adds a block.
func (s *blockSet) put(bits uint32) {
	h := s.hash(bits)
	s.bits[h>>5] |= 1 << (h & 31)
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
