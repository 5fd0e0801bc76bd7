// Package mask keeps secrets out of what is printed.
package mask

import "fmt"

// Masked is what stands in the place of a secret.
const Masked = "[MASKED]"

// Secret is a text that never prints itself: every verb of fmt, JSON, and with
// them logrus, show Masked. It holds a pointer, so that a Secret in an
// unexported field, whose methods fmt does not call, shows an address.
type Secret struct{ text *string }

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text itself.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// Format prints Masked under every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Masked)) }

// String returns Masked.
func (Secret) String() string { return Masked }

// MarshalText returns Masked, in JSON too.
func (Secret) MarshalText() ([]byte, error) { return []byte(Masked), nil }
