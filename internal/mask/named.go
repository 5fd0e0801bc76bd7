package mask

import "fmt"

// Named is a secret with the word that tells people what it is.
type Named struct {
	Kind  string // such as "session token"
	Value Secret
}

// Format prints the kind under every verb.
func (n Named) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(n.Kind)) }

// String returns the kind.
func (n Named) String() string { return n.Kind }
