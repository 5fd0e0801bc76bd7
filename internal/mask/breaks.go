package mask

// Line breaks, as blocks have them: the first byte is the lowest.
const (
	feed       = '\n'
	returnFeed = '\r' | '\n'<<8
)

// enterPlain adds a block without tokens, and what line breaks in front of its characters make of it.
// This is what texts have of the block, but faster.
func (s *blockSet) enterPlain(bits uint32) {
	s.breakSecond(bits)
	s.breakThird(feed | bits<<8)
	s.breakFourth(returnFeed | bits<<16)
}

// breakSecond adds a block, and what line breaks from its second byte on make of it.
func (s *blockSet) breakSecond(bits uint32) {
	front, rest := bits&0xff, bits>>8
	s.breakThird(bits)
	s.breakFourth(front | feed<<8 | rest<<16)
	s.put(front | returnFeed<<8 | rest<<24)
}

// breakThird adds a block, and what line breaks from its third byte on make of it.
func (s *blockSet) breakThird(bits uint32) {
	front, rest := bits&0xffff, bits>>16
	s.breakFourth(bits)
	s.put(front | feed<<16 | rest<<24)
	s.put(front | returnFeed<<16)
}

// breakFourth adds a block, and what a line break in place of its fourth byte makes of it.
func (s *blockSet) breakFourth(bits uint32) {
	front := bits & 0xffffff
	s.put(bits)
	s.put(front | feed<<24)
	s.put(front | '\r'<<24)
}
