package hold

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// packed is an ID token in three quarters of its size: the bytes of its parts, each after its
// length. Most of a broker's memory is tokens.
type packed string

// plain begins a packed that has the token as it is.
const plain = "\x00"

// pack packs a token.
func pack(token string) packed {
	out := []byte{1}
	for part := range strings.SplitSeq(token, ".") {
		raw, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return packed(plain + token)
		}
		out = append(binary.AppendUvarint(out, uint64(len(raw))), raw...)
	}
	if p := packed(out); p.token() == token {
		return p
	}
	return packed(plain + token) // its base64 has another form that stands for the same
}

// token returns the token.
func (p packed) token() string {
	if token, ok := strings.CutPrefix(string(p), plain); ok {
		return token
	}
	var parts []string
	for rest := []byte(p[1:]); len(rest) > 0; {
		n, size := binary.Uvarint(rest)
		rest = rest[size:]
		parts = append(parts, base64.RawURLEncoding.EncodeToString(rest[:n]))
		rest = rest[n:]
	}
	return strings.Join(parts, ".")
}
