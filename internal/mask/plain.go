package mask

import "sort"

const (
	// maxGap bounds the bytes between two characters of a secret, and so what a Writer
	// holds.
	maxGap = 128
	// lineStart is how many characters of a secret must stand together in front of the
	// first line break in it to be masked too. So a line that ends by chance with the first
	// letter of a secret is not held until the next line comes.
	lineStart = 3
)

// plain reads a text as somebody who looks at it: without escape sequences and line
// breaks, and with the characters that tokens stand for. Between two characters of a secret
// there may be one line break.
type plain struct {
	at      node           // as trie.at, for the plain text
	pending [maxToken]byte // what has begun and may become a token
	n       int            // length of pending
	chars   int            // number of characters that were read
	gap     int            // number of bytes since the last character
	line    bool           // a line break is in the gap
	jumps   []jump
}

// jump says where the text and the plain text are out of step.
type jump struct {
	char         int   // number of a character
	before, from int64 // offsets: where the character before it ends, and where it begins
	line, escape bool  // whether a line break or an escape sequence is between the two
}

// start begins to read at an offset of the text, with the node after the text before it.
func (p *plain) start(at node, offset int64) {
	*p = plain{at: at, jumps: append(p.jumps[:0], jump{before: offset, from: offset})}
}

// byteRead reads a byte of the text, whose next byte has the offset end. It calls read for
// each character that this byte completes, with the offsets of the character's bytes. A
// byte can complete several characters, if earlier ones turn out to be no token.
func (p *plain) byteRead(c byte, end int64, read func(c byte, from, to int64)) {
	if p.n == 0 && !isSpecial(c) {
		read(c, end-1, end)
		return
	}
	p.pending[p.n] = c
	p.n++
	length := int64(p.n)
	switch what, char := classify(p.pending[:p.n]); {
	case what == character:
		p.n = 0
		read(char, end-length, end)
	case what == lineBreak, what == sequence:
		p.skip(p.n, end, what)
		p.n = 0
	case what == text, p.n == maxToken:
		p.n--
		p.flush(end-1, read)
		p.byteRead(c, end, read)
	}
}

// flush reads what is pending as it is: it is no token. The text ends at the offset end, or
// goes on with something else.
func (p *plain) flush(end int64, read func(c byte, from, to int64)) {
	from := end - int64(p.n)
	for i, c := range p.pending[:p.n] {
		read(c, from+int64(i), from+int64(i)+1)
	}
	p.n = 0
}

// skip skips the length bytes before the offset end.
func (p *plain) skip(length int, end int64, what kind) {
	if p.gap += length; p.gap > maxGap || p.line && what == lineBreak {
		p.at = root
	}
	p.line = p.line || what == lineBreak
	last := &p.jumps[len(p.jumps)-1]
	if last.char != p.chars {
		last = p.jump(end - int64(length))
	}
	last.from = end
	last.line = last.line || what == lineBreak
	last.escape = last.escape || what == sequence
}

// moved notes that the plain text has one more character, and its node after it.
func (p *plain) moved(at node, from, to int64) {
	p.at, p.gap, p.line = at, 0, false
	p.chars++
	if to-from > 1 {
		p.jump(to)
	}
}

// jump adds a jump before the next character.
func (p *plain) jump(offset int64) *jump {
	p.jumps = append(p.jumps, jump{char: p.chars, before: offset, from: offset})
	return &p.jumps[len(p.jumps)-1]
}

// forget removes the jumps that are not needed for the last n characters, if they are many.
func (p *plain) forget(n int) {
	if gone := p.after(p.chars-n) - 1; gone > len(p.jumps)/2 {
		p.jumps = p.jumps[:copy(p.jumps, p.jumps[gone:])]
	}
}

// after returns the index of the first jump after a character.
func (p *plain) after(char int) int {
	return sort.Search(len(p.jumps), func(i int) bool { return p.jumps[i].char > char })
}

// offset returns where a character begins in the text.
func (p *plain) offset(char int) int64 {
	i := p.after(char)
	if i == 0 {
		return p.jumps[0].before - int64(p.jumps[0].char-char)
	}
	return p.jumps[i-1].from + int64(char-p.jumps[i-1].char)
}

// end returns where a character ends in the text.
func (p *plain) end(char int) int64 {
	if i := p.after(char); i < len(p.jumps) && p.jumps[i].char == char+1 {
		return p.jumps[i].before
	}
	return p.offset(char) + 1
}

// begin returns the first character to mask of a secret that begins with the character
// char.
func (p *plain) begin(char int) int {
	begin := char
	for _, j := range p.jumps[p.after(char):] {
		if j.char >= char+lineStart {
			break
		}
		if j.line {
			begin = j.char
		}
	}
	return begin
}

// escaped reports whether an escape sequence is between the characters from and to.
func (p *plain) escaped(from, to int) bool {
	for _, j := range p.jumps[p.after(from):p.after(to)] {
		if j.escape {
			return true
		}
	}
	return false
}
