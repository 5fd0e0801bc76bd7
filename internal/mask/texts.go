package mask

import (
	"cmp"
	"slices"
)

// block is the beginning of a block: n bytes, of which the first is the lowest.
type block struct {
	bits uint32
	n    int
}

// newBlock returns as much of text as a block has room for.
func newBlock[T string | []byte](text T) block {
	var b block
	for b.n < min(len(text), blockLen) {
		b.bits |= uint32(text[b.n]) << (8 * b.n)
		b.n++
	}
	return b
}

// then returns b with rest behind it. What a block has no room for is left out.
func (b block) then(rest uint32) uint32 { return b.bits | rest<<(8*b.n) }

// key returns a number that no other block has.
func (b block) key() uint64 { return uint64(b.bits)<<8 | uint64(b.n) } //nolint:gosec // n is small

// spelled is what blocks can have of the tokens for a character, each once.
type spelled struct {
	heads [blockLen + 1][]block // by a number of bytes: the tokens, cut to that many
	tails []block               // what tokens end with, without their first byte or more
}

// newSpelled returns what blocks can have of tokens.
func newSpelled(tokens []string) spelled {
	var all spelled
	for _, token := range tokens {
		for room := range all.heads {
			all.heads[room] = append(all.heads[room], newBlock(token[:min(room, len(token))]))
		}
		for at := 1; at < len(token); at++ {
			all.tails = append(all.tails, newBlock(token[at:]))
		}
	}
	for room := range all.heads {
		all.heads[room] = once(all.heads[room])
	}
	all.tails = once(all.tails)
	return all
}

// once returns blocks without repeats.
func once(blocks []block) []block {
	slices.SortFunc(blocks, func(a, b block) int { return cmp.Compare(a.key(), b.key()) })
	return slices.Compact(blocks)
}

// texts are what the rest of a form can begin with in a text, by a number of bytes: as many, of which
// the first is the lowest. Bytes behind them do not count.
type texts struct {
	plain  [blockLen + 1][]uint32 // with its next character, as it is or as a token
	broken [blockLen + 1][]uint32 // with that, or with a line break in front of it
}

// newTexts returns what an empty rest begins with: no bytes.
func newTexts() *texts {
	nothing := []uint32{0}
	return &texts{[blockLen + 1][]uint32{nothing}, [blockLen + 1][]uint32{nothing}}
}

// prepend adds a character to the beginning of the rest, for up to most bytes.
func (t *texts) prepend(c byte, tokens spelled, most int) {
	char := block{uint32(c), 1}
	for n := 1; n <= most; n++ {
		t.plain[n] = char.before(t.plain[n][:0], t.broken[n-1])
		for _, head := range tokens.heads[n] {
			t.plain[n] = head.before(t.plain[n], t.broken[n-head.n])
		}
	}
	feed, both := newBlock("\n"), newBlock("\r\n")
	for n := 1; n <= most; n++ {
		t.broken[n] = append(t.broken[n][:0], t.plain[n]...)
		t.broken[n] = feed.before(t.broken[n], t.plain[n-1])
		t.broken[n] = both.before(t.broken[n], t.plain[max(n-2, 0)])
	}
}

// before appends each of rests to to, with b in front of it.
func (b block) before(to, rests []uint32) []uint32 {
	for _, rest := range rests {
		to = append(to, b.then(rest))
	}
	return to
}
