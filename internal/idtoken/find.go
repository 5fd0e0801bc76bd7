package idtoken

import (
	"iter"
	"slices"
	"strings"
)

// jsonStart is how the header of a token begins: base64 of a brace before a quote or a
// blank.
const jsonStart = "ey"

// maxHeader bounds the size of a token's header in base64, in bytes, so that no text makes
// the search slow. GitLab's headers have about 100.
const maxHeader = 1 << 10

// OfJob returns the ID tokens of one job in texts, the values of the job's variables, each
// token once. A job can have several, for several audiences. A text may have other text
// around a token, such as a list of tokens, an HTTP header or JSON. A token counts if
// Parse accepts it and CheckJob does not fail: a token of another job is not returned. Nobody
// has verified its signature.
func OfJob(texts iter.Seq[string], job, project int64) []Token {
	var found []Token
	for text := range texts {
		for token := range tokensIn(text) {
			known := slices.ContainsFunc(found, func(t Token) bool { return t.Raw.Reveal() == token.Raw.Reveal() })
			if !known && token.CheckJob(job, project) == nil {
				found = append(found, token)
			}
		}
	}
	return found
}

// tokensIn returns the tokens in a text.
func tokensIn(text string) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		for start := strings.Index(text, jsonStart); start >= 0; start = strings.Index(text, jsonStart) {
			text = text[start:]
			raw, skip := compact(text), len(jsonStart)
			if raw != "" { // most texts have words that begin as a token does
				token, err := Parse(raw)
				if err == nil && !yield(token) {
					return
				}
				skip = max(skip, len(token.Raw.Reveal()))
			}
			text = text[skip:]
		}
	}
}

// compact returns the beginning of a text if it has the form of a token: three parts in
// the alphabet of base64url, with dots between them. Otherwise it returns nothing.
//
// https://www.rfc-editor.org/rfc/rfc7515#section-7.1
func compact(text string) string {
	end := 0
	for part, most := range [3]int{maxHeader, maxToken, maxToken} {
		length := partLen(text[end:min(len(text), end+most+1)])
		end += length
		switch {
		case length == 0 || length > most:
			return ""
		case part == 2:
			return text[:end]
		case end == len(text) || text[end] != '.':
			return ""
		}
		end++
	}
	return ""
}

// partLen returns how many bytes at the beginning of a text are of base64url.
func partLen(text string) int {
	for i := range len(text) {
		c := text[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && c != '-' && c != '_' {
			return i
		}
	}
	return len(text)
}
