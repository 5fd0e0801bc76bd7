// Package keyform finds keys in the form of AWS's in a text, whoever has issued them.
package keyform

import (
	"bytes"

	"rolecall/internal/runs"
)

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"

	idLen     = 20  // of an access key id
	secretLen = 40  // of a secret access key
	tokenLen  = 100 // a session token is longer; AWS names no length
	// near is how far an access key id and its secret access key may be apart, in bytes:
	// less than the 512 bytes between two files in a tar.
	near = 400
	// signs is how many bytes may be between the name of a token and its value.
	signs = 8
)

// The kinds of what Find finds.
const (
	KeyPair      = "AWS access key"
	SessionToken = "AWS session token" //nolint:gosec // a word for a token, and none itself
)

// Finder finds keys. It does not change, so any goroutine may use it.
type Finder struct{ ids, secrets, tokens *runs.Alphabet }

// New returns a Finder.
func New() Finder {
	return Finder{runs.Of(upper, digits), runs.Of(upper, lower, digits, "+/"), runs.Of(upper, lower, digits, "+/_.-")}
}

// Reach returns how many bytes before and after the beginning of a key Find must see.
func (Finder) Reach() int { return idLen + near + secretLen + 2 }

// Find calls found for each key that begins in text[from:to], with its index in text and
// its kind. It looks at all of text for what belongs to the key:
//
//   - KeyPair: an access key id, AKIA or ASIA and 16 of A-Z and 0-9, with a secret access
//     key near it, 40 of letters, digits, + and /;
//   - SessionToken: 100 or more of letters, digits and the signs of base64 and base64url
//     after the name aws_session_token or aws_security_token, in upper or lower case.
//
// A key counts as it is, not escaped or encoded. Keys of AWS's documentation, which have
// EXAMPLE in them, do not count.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
func (f Finder) Find(text []byte, from, to int, found func(at int, kind string)) {
	for start, end := range f.ids.In(text, from, to, idLen) {
		if isID(text, start, end) && f.hasSecret(text, start, end) {
			found(start, KeyPair)
		}
	}
	for start, end := range f.tokens.In(text, from, to, tokenLen) {
		if isTokenName(text[:start]) && isRandom(text[start:end]) && bytes.ContainsAny(text[start:end], digits) {
			found(start, SessionToken)
		}
	}
}

// isID reports whether a run is an access key id. It must not be a part of a word.
func isID(text []byte, start, end int) bool {
	id := text[start:end]
	if len(id) != idLen || !bytes.HasPrefix(id, []byte("AKIA")) && !bytes.HasPrefix(id, []byte("ASIA")) {
		return false
	}
	return !isExample(id) && (start == 0 || !isWord(text[start-1])) && (end == len(text) || !isWord(text[end]))
}

// isWord reports whether c is of a word, besides capital letters and digits.
func isWord(c byte) bool { return 'a' <= c && c <= 'z' || c == '_' }

// isExample reports whether a key is one of AWS's documentation, such as
// AKIAIOSFODNN7EXAMPLE.
func isExample(key []byte) bool { return bytes.Contains(key, []byte("EXAMPLE")) }

// hasSecret reports whether a secret access key is near an access key id.
func (f Finder) hasSecret(text []byte, start, end int) bool {
	for i, j := range f.secrets.In(text, max(start-near-secretLen, 0), min(end+near+1, len(text)), secretLen) {
		if j-i == secretLen && isRandom(text[i:j]) {
			return true
		}
	}
	return false
}

// isRandom reports whether a run may be a secret. One without capital or without small
// letters is most likely the hash of a commit.
func isRandom(run []byte) bool {
	return bytes.ContainsAny(run, upper) && bytes.ContainsAny(run, lower) && !isExample(run)
}

// isTokenName reports whether before ends with the name of a session token, and the signs
// between the name and the value: =, :, =>, quotes, blanks. There is a sign: before is what
// is before a run, and the last letter of a name would be of the run.
func isTokenName(before []byte) bool {
	name := bytes.TrimRight(before[max(0, len(before)-signs-len("aws_security_token")):], " \t=:>\"'\\,")
	name = bytes.ToLower(name)
	return bytes.HasSuffix(name, []byte("aws_session_token")) || bytes.HasSuffix(name, []byte("aws_security_token"))
}
