package mask

import "fmt"

// Named is a secret with a word that says what it is. It prints only this word.
type Named struct {
	Kind  string // such as "session token"
	Value Secret
}

// Format prints the kind under every verb.
func (n Named) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(n.Kind)) }

// String returns the kind.
func (n Named) String() string { return n.Kind }
