// Package mask keeps secrets out of what is printed.
package mask

import "fmt"

// Masked replaces a secret in the output.
const Masked = "[MASKED]"

// Secret is a text that is never printed: fmt, JSON and logrus show Masked. It holds a
// pointer, since fmt does not call the methods of an unexported field: for such a field
// fmt prints the address.
type Secret struct{ text *string }

// NewSecret returns text as a Secret.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text, and "" for the zero Secret.
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
