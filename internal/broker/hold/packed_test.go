package hold

import (
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzPacked: what is packed comes back as it was, and an ID token is smaller.
func FuzzPacked(f *testing.F) {
	for _, token := range []string{"", ".", "..", "a.b.c", "eyJh.eyJi.c2ln", "eyJh.eyJi.c2lnZh", "eyJh.eyJi.c2l=", "\x00", "\x01eyJh", "eyJh\n.eyJi.", strings.Repeat("A", 300) + ".eyJi."} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if got := pack(token).token(); got != token {
			t.Errorf("%q comes back as %q", token, got)
		}
	})
}

// TestPackedSize: the token of GitLab needs three quarters of its size.
func TestPackedSize(t *testing.T) {
	t.Parallel()
	part := base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", 400)))
	token := strings.Join([]string{part, part, part}, ".")
	if got := pack(token); len(got) > len(token)*3/4+8 || got.token() != token {
		t.Errorf("%d bytes of %d", len(got), len(token))
	}
}
