package mask

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// Masks masks the secrets of a process in all that it prints, also those that it
// gets to know while it prints: each Writer of it has all of them. Without secrets
// a Writer passes all bytes on at once. Any goroutine may use a Masks.
type Masks struct {
	mu      sync.Mutex // guards what follows
	needles *Needles   // nil: there are no secrets
	writers []*Writer
}

// NewMasks returns a Masks without secrets and Writers.
func NewMasks() *Masks { return &Masks{} }

// Writer returns a Writer that masks all secrets that there are and will be, and
// writes to to.
func (m *Masks) Writer(to io.Writer) *Writer {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := NewWriter(to, m.needles)
	m.writers = append(m.writers, w)
	return w
}

// Add adds secrets. When it has returned, no Writer shows one of them any more: in
// the bytes that a Writer holds back and in all that is written to it they are
// masked. What has been written on stays as it is; of a secret whose beginning has
// been, the rest is written on too. So add a secret before anybody is told it.
//
// Add waits for every Write that is going on, so for who reads what it writes. It
// refuses a secret shorter than 8 bytes, by its kind; then it adds none.
func (m *Masks) Add(more ...Named) error {
	values := make([]Secret, len(more))
	for i, one := range more {
		if err := checkLen(one.Value); err != nil {
			return fmt.Errorf("the %s %w", one.Kind, err)
		}
		values[i] = one.Value
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	needles, err := m.needles.With(values...)
	if err == nil {
		m.share(needles)
	}
	return err
}

// share gives all Writers needles, which find all that those before do.
func (m *Masks) share(needles *Needles) {
	m.needles = needles
	for _, w := range m.writers {
		w.use(needles)
	}
}

// Close closes all Writers. The error joins those of their Close.
func (m *Masks) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, w := range m.writers {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}
