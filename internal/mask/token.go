package mask

import (
	"strconv"
	"strings"
)

const (
	escape   = 0x1b
	maxToken = 64 // bytes of a token; a longer one is text
)

// kind says what some bytes of a text are.
type kind int

const (
	unfinished kind = iota // perhaps the beginning of a token
	text                   // no token: the bytes stand for themselves
	character              // a token for one character
	lineBreak              // a token for no character
	sequence               // a token for no character: an escape sequence
)

// isSpecial reports whether a token can begin with c.
func isSpecial(c byte) bool {
	return c == '\n' || c == '\r' || c == escape || c == '\\' || c == '&'
}

// isEscapable reports whether a token can stand for c: programs that write JSON, HTML or
// XML escape these, of the bytes that need no escape in some secret.
func isEscapable(c byte) bool {
	switch c {
	case '"', '&', '\'', '+', '/', '<', '=', '>', '`':
		return true
	}
	return false
}

// spellings returns the tokens for a character that isEscapable. Of those with zeros in front of a number
// it has enough for all sequences of four bytes.
func spellings(c byte) []string {
	lower, upper := strconv.FormatUint(uint64(c), 16), strings.ToUpper(strconv.FormatUint(uint64(c), 16))
	tokens := []string{`\u00` + lower, `\u00` + upper}
	if c == '/' {
		tokens = append(tokens, `\/`)
	}
	for _, e := range entities() {
		if e.char == c {
			tokens = append(tokens, "&"+e.name+";")
		}
	}
	for _, zeros := range []string{"", "0", "00", "0000"} {
		tokens = append(tokens, "&#"+zeros+strconv.Itoa(int(c))+";")
		for _, digits := range []string{lower, upper} {
			tokens = append(tokens, "&#x"+zeros+digits+";", "&#X"+zeros+digits+";")
		}
	}
	return tokens
}

// classify says what p is, which begins with a special byte. If p is a character, it
// returns this character too. Without its last byte, p must be unfinished.
func classify(p []byte) (kind, byte) {
	switch p[0] {
	case '\n':
		return lineBreak, 0
	case '\r':
		return classifyReturn(p), 0
	case escape:
		return classifyEscape(p), 0
	case '\\':
		return classifyJSON(p)
	default:
		return classifyEntity(p)
	}
}

// classifyReturn is classify for what begins with a carriage return.
func classifyReturn(p []byte) kind {
	switch {
	case len(p) == 1:
		return unfinished
	case p[1] == '\n':
		return lineBreak
	}
	return text
}

// classifyEscape is classify for what begins with ESC: a control sequence (ECMA-48, 5.4),
// or a sequence that chooses a character set, as tput sgr0 writes it (ECMA-35, 13.2). As
// terminals do, it takes parameter bytes and intermediate bytes in any order. A special byte,
// which no program writes into a sequence, ends the sequence.
func classifyEscape(p []byte) kind {
	if len(p) == 1 {
		return unfinished
	}
	last, final := p[len(p)-1], byte('@')
	if p[1] != '[' {
		final = '0'
	}
	switch {
	case isSpecial(last):
		return text
	case len(p) == 2 && last == '[', last >= ' ' && last < final:
		return unfinished
	case len(p) > 2 && last >= final && last <= '~':
		return sequence
	}
	return text
}

// classifyJSON is classify for what begins with a backslash: \/ or \u and four digits
// (RFC 8259, 7).
func classifyJSON(p []byte) (kind, byte) {
	last := p[len(p)-1]
	switch {
	case len(p) == 1, len(p) == 2 && last == 'u', len(p) == 3 && last == '0', len(p) == 4 && last == '0', len(p) == 5 && isAlphanumeric(last):
		return unfinished, 0
	case len(p) == 2 && last == '/':
		return character, '/'
	case len(p) == 6:
		return classifyCode(string(p[4:]), 16)
	}
	return text, 0
}

// classifyEntity is classify for what begins with &: a reference to a character of HTML or
// XML (HTML, 13.1.4), which ends with a semicolon.
func classifyEntity(p []byte) (kind, byte) {
	switch last := p[len(p)-1]; {
	case len(p) == 1, len(p) == 2 && last == '#', isAlphanumeric(last):
		return unfinished, 0
	case last != ';' || len(p) < 4:
		return text, 0
	}
	name := string(p[1 : len(p)-1])
	switch {
	case name[0] == '#' && name[1]|0x20 == 'x':
		return classifyCode(name[2:], 16)
	case name[0] == '#':
		return classifyCode(name[1:], 10)
	}
	for _, e := range entities() {
		if e.name == name {
			return character, e.char
		}
	}
	return text, 0
}

// isAlphanumeric reports whether c is a letter or a digit of ASCII.
func isAlphanumeric(c byte) bool {
	letter := c|0x20 >= 'a' && c|0x20 <= 'z'
	return letter || c >= '0' && c <= '9'
}

// entity is a character with a name in HTML.
type entity struct {
	name string
	char byte
}

// entities returns the named characters that a secret may have (HTML, 13.5).
func entities() [8]entity {
	return [...]entity{
		{"amp", '&'}, {"apos", '\''}, {"equals", '='}, {"gt", '>'}, {"lt", '<'}, {"plus", '+'}, {"quot", '"'}, {"sol", '/'},
	}
}

// classifyCode is classify for the digits of a character's code.
func classifyCode(digits string, base int) (kind, byte) {
	code, err := strconv.ParseUint(digits, base, 7)
	if c := byte(code & 0x7f); err == nil && isEscapable(c) {
		return character, c
	}
	return text, 0
}
