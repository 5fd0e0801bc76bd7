package kit

import (
	"bytes"
	"sync"
)

// Buffer is a buffer that several goroutines can write to and read.
type Buffer struct {
	mu      sync.Mutex // guards content
	content bytes.Buffer
}

// Write appends a piece.
func (b *Buffer) Write(piece []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.Write(piece)
}

// String returns what was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.content.String()
}
