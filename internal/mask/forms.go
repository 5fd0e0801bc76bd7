package mask

import (
	"bytes"
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// unreserved has the bytes that are never escaped in a URL, besides letters and digits. See RFC 3986, 2.3.
const unreserved = "-_.~"

// Forms returns the forms of a secret that Needles finds, unmasked and without
// duplicates:
//
//   - the secret itself, and without its line breaks;
//   - URL-escaped as a query (a space becomes +), as a component (%20), as a path
//     segment ($&+=:@ stay) and as a path (only / stays, as Python's quote does),
//     each with hex digits in upper and in lower case;
//   - JSON-escaped as encoding/json writes it, with and without the escaping of
//     <, > and &, each with / and with \/;
//   - base64 in the standard and in the URL alphabet, for the secret at each of
//     the three offsets that it can have in a longer text. Characters at the edges
//     that also carry bits of the neighbours, or padding, are left out.
//
// Needles says what can be between the characters of a form, and stand for them.
//
// Forms does not cover a secret that is reversed, in hex, compressed, encrypted, escaped
// or encoded twice, in changed case, split by other text (also by spaces at the beginning
// of a line), or cut short.
func Forms(secret Secret) [][]byte {
	text := secret.Reveal()
	forms := [][]byte{[]byte(text)}
	add := func(form []byte) {
		for _, known := range forms {
			if bytes.Equal(known, form) {
				return
			}
		}
		forms = append(forms, form)
	}
	if strings.Contains(text, "\n") {
		if lines := strings.NewReplacer("\r\n", "", "\n", "").Replace(text); len(lines) >= MinLen {
			add([]byte(lines))
		}
	}
	urlForms(text, add)
	jsonForms(text, add)
	base64Forms(text, add)
	return forms
}

// FileForms returns the Forms of a secret and, of those in ASCII, their UTF-16 in either byte
// order (RFC 2781): a zero byte between every two bytes.
func FileForms(secret Secret) [][]byte {
	forms := Forms(secret)
	for _, form := range forms {
		if bytes.ContainsFunc(form, func(r rune) bool { return r >= utf8.RuneSelf }) {
			continue
		}
		wide := make([]byte, 2*len(form)-1)
		for i, c := range form {
			wide[2*i] = c
		}
		forms = append(forms, wide)
	}
	return forms
}

// urlForms adds the URL-escaped forms of text.
func urlForms(text string, add func([]byte)) {
	kept := keep(unreserved)
	if kept.all(text) {
		return // The text needs no escape, such as a JWT. This check is cheaper than eight forms.
	}
	segment, path := keep(unreserved+"$&+=:@"), keep(unreserved+"/")
	for _, hex := range []string{"0123456789ABCDEF", "0123456789abcdef"} {
		component := kept.escape(text, hex)
		add(component)
		if strings.Contains(text, " ") {
			add(bytes.ReplaceAll(component, []byte("%20"), []byte("+")))
		}
		add(segment.escape(text, hex))
		add(path.escape(text, hex))
	}
}

// bytesKept says for each byte whether it stays as it is.
type bytesKept [256]bool

// keep returns a table in which letters, digits and the bytes of others stay.
func keep(others string) *bytesKept {
	const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	var kept bytesKept
	for _, part := range [...]string{alphanumeric, others} {
		for i := range len(part) {
			kept[part[i]] = true
		}
	}
	return &kept
}

// all reports whether all bytes of text stay.
func (k *bytesKept) all(text string) bool {
	for i := range len(text) {
		if !k[text[i]] {
			return false
		}
	}
	return true
}

// escape returns text with %xx for each byte that is not kept.
func (k *bytesKept) escape(text, hex string) []byte {
	escaped := make([]byte, 0, len(text)+len(text)/4)
	for i := range len(text) {
		if c := text[i]; k[c] {
			escaped = append(escaped, c)
		} else {
			escaped = append(escaped, '%', hex[c>>4], hex[c&15])
		}
	}
	return escaped
}

// jsonForms adds the JSON-escaped forms of text.
func jsonForms(text string, add func([]byte)) {
	if keep(unreserved + "+/=").all(text) { // the same result as below, but faster
		if strings.Contains(text, "/") {
			add([]byte(strings.ReplaceAll(text, "/", `\/`)))
		}
		return
	}
	for _, special := range []string{"\"\\", "\"\\<>&"} {
		form := jsonEscape(text, special)
		add(form)
		add(bytes.ReplaceAll(form, []byte("/"), []byte(`\/`)))
	}
}

// jsonEscape returns text as encoding/json writes it between quotes. It escapes control
// characters and the ASCII characters in special.
func jsonEscape(text, special string) []byte {
	escaped := make([]byte, 0, len(text)+len(text)/8)
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf {
			escaped = appendASCII(escaped, c, special)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			escaped = append(escaped, `\ufffd`...)
		case r == '\u2028':
			escaped = append(escaped, `\u2028`...)
		case r == '\u2029':
			escaped = append(escaped, `\u2029`...)
		default:
			escaped = append(escaped, text[i:i+size]...)
		}
		i += size
	}
	return escaped
}

// appendASCII appends c. It escapes c if JSON requires it or if special contains c.
func appendASCII(to []byte, c byte, special string) []byte {
	const controls, short = "\b\f\n\r\t", "bfnrt"
	switch {
	case c >= ' ' && strings.IndexByte(special, c) < 0:
		return append(to, c)
	case c == '"' || c == '\\':
		return append(to, '\\', c)
	}
	if i := strings.IndexByte(controls, c); i >= 0 {
		return append(to, '\\', short[i])
	}
	const hex = "0123456789abcdef"
	return append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// base64Forms adds the base64 forms of text.
func base64Forms(text string, add func([]byte)) {
	padded := append(make([]byte, 2, 2+len(text)), text...) // at most two bytes are in front of it
	for offset := range 3 {
		padded := padded[2-offset:]
		// A character carries 6 bits. Only characters whose bits are all of text count.
		first, end := (8*offset+5)/6, 8*len(padded)/6
		encoded := base64.RawStdEncoding.AppendEncode(nil, padded)[first:end]
		add(encoded)
		if bytes.IndexByte(encoded, '+') >= 0 || bytes.IndexByte(encoded, '/') >= 0 {
			add(base64.RawURLEncoding.AppendEncode(nil, padded)[first:end])
		}
	}
}
