package mask_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"rolecall/internal/mask"
)

// plainChar is a character that somebody sees who looks at a text, and where it is.
type plainChar struct {
	c             byte
	from, to      int
	line, escaped bool // line breaks or escape sequences are before it
	apart         bool // too much is before it
}

// plainOracle finds forms in texts by the definition alone.
type plainOracle struct {
	token *regexp.Regexp
	chars map[string]byte
}

func newPlainOracle() plainOracle {
	o := plainOracle{chars: map[string]byte{}}
	tokens := []string{`\x1b\[[ -%'-?]*[@-[\]-~]`, `\x1b[ -%'-/]+[0-[\]-~]`, `\r?\n`, `\\/`}
	for _, c := range "\"&'+/<=>`" {
		tokens = append(tokens, fmt.Sprintf(`\\u00(?i:%x)|&#0*%d;|&#[xX]0*(?i:%x);`, c, c, c))
	}
	tokens = append(tokens, `&plus;|&sol;|&equals;|&amp;|&lt;|&gt;|&quot;|&apos;`)
	o.token = regexp.MustCompile(`\A(?:` + strings.Join(tokens, "|") + ")")
	for name, c := range map[string]byte{"plus": '+', "sol": '/', "equals": '=', "amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''} {
		o.chars["&"+name+";"] = c
	}
	return o
}

// char returns the character that a token stands for; 0: none.
func (o plainOracle) char(token string) byte {
	var code byte
	switch {
	case token == `\/`:
		return '/'
	case o.chars[token] != 0:
		return o.chars[token]
	case token[0] == '\\':
		_, _ = fmt.Sscanf(token, `\u%x`, &code)
	case token[0] == '&' && token[2]|0x20 == 'x':
		_, _ = fmt.Sscanf(token[3:], `%x;`, &code)
	case token[0] == '&':
		_, _ = fmt.Sscanf(strings.TrimLeft(token[2:], "0"), `%d;`, &code)
	}
	return code
}

// read returns the characters of a text, with one more after its end.
func (o plainOracle) read(text string) []plainChar {
	var chars []plainChar
	next := plainChar{}
	for at := 0; at < len(text); at = next.from {
		token := o.token.FindString(text[at:])
		c := byte(0)
		if token == "" {
			token, c = text[at:at+1], text[at]
		} else {
			c = o.char(token)
		}
		end := at + len(token)
		switch {
		case c != 0:
			next.c, next.from, next.to = c, at, end
			chars = append(chars, next)
			next = plainChar{}
		case token[0] == 0x1b:
			next.escaped = true
		default:
			next.apart = next.apart || next.line
			next.line = true
		}
		next.from = end
	}
	return append(chars, next)
}

// occurrence is a run of bytes to mask.
type occurrence struct {
	from, to int
	escaped  bool
}

// find returns the occurrences of forms in text: as it is, and as its characters.
func (o plainOracle) find(forms [][]byte, text string) []occurrence {
	var found []occurrence
	chars := o.read(text)
	for _, form := range forms {
		for i := range text {
			if strings.HasPrefix(text[i:], string(form)) {
				found = append(found, occurrence{i, i + len(form), false})
			}
		}
		for i := range chars {
			if part := chars[i:min(len(chars)-1, i+len(form))]; spells(part, form) {
				found = append(found, occurrenceOf(part))
			}
		}
	}
	return found
}

// spells reports whether chars are a form.
func spells(chars []plainChar, form []byte) bool {
	for i, c := range chars {
		if c.c != form[i] || i > 0 && c.apart {
			return false
		}
	}
	return len(chars) == len(form)
}

// occurrenceOf returns what is to be masked of chars: not the first one or two of them if a
// line break is behind them.
func occurrenceOf(chars []plainChar) occurrence {
	first := 0
	for i := range 3 {
		if i > 0 && chars[i].line {
			first = i
		}
	}
	escaped := slices.ContainsFunc(chars[first+1:], func(c plainChar) bool { return c.escaped })
	return occurrence{chars[first].from, chars[len(chars)-1].to, escaped}
}

// render returns text with its occurrences masked.
func render(text string, found []occurrence) string {
	slices.SortFunc(found, func(a, b occurrence) int { return a.from - b.from })
	var out strings.Builder
	at := 0
	for i := 0; i < len(found); {
		run := found[i]
		for i++; i < len(found) && found[i].from <= run.to; i++ {
			run.to, run.escaped = max(run.to, found[i].to), run.escaped || found[i].escaped
		}
		out.WriteString(text[at:run.from] + mask.Masked)
		if run.escaped {
			out.WriteString("\x1b[m")
		}
		at = run.to
	}
	return out.String() + text[at:]
}

// coveredBy returns which bytes of a text of n bytes occurrences cover.
func coveredBy(found []occurrence, n int) []bool {
	covered := make([]bool, n)
	for _, f := range found {
		for i := f.from; i < f.to; i++ {
			covered[i] = true
		}
	}
	return covered
}

// findAnywhere is find for readers who begin anywhere in the text, also within a token.
func (o plainOracle) findAnywhere(forms [][]byte, text string) []occurrence {
	var found []occurrence
	for i := range text {
		for _, f := range o.find(forms, text[i:]) {
			found = append(found, occurrence{f.from + i, f.to + i, f.escaped})
		}
	}
	return found
}

// within reports whether all that is set in part is set in whole.
func within(part, whole []bool) bool {
	for i := range part {
		if part[i] && !whole[i] {
			return false
		}
	}
	return true
}
