package mask

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Masks masks the secrets of a process in everything that it prints. Secrets can be added
// while it prints: all Writers of a Masks have all its secrets. A Writer without secrets
// writes all bytes at once. Any goroutine may use a Masks.
type Masks struct {
	mu      sync.Mutex // guards what follows
	needles *Needles   // nil: there are no secrets
	writers []*Writer
}

// NewMasks returns a Masks without secrets and Writers.
func NewMasks() *Masks { return &Masks{} }

// Writer returns a Writer to to. It masks all secrets, also those that are added later.
func (m *Masks) Writer(to io.Writer) *Writer {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := NewWriter(to, m.needles)
	m.writers = append(m.writers, w)
	return w
}

// Add adds secrets. After it has returned, each Writer masks them, in the bytes that it
// holds back and in all later ones. Bytes that have been written cannot be masked: if
// they end with the beginning of a secret, its rest is written too. So add a secret
// before you give it to anybody.
//
// Add waits until each running Write has returned, and so until the reader has taken the
// output. It fails if a secret is shorter than MinLen, names its kind, and then adds
// none.
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

// share gives needles to all Writers. They must find all secrets of the old ones.
func (m *Masks) share(needles *Needles) {
	m.needles = needles
	for _, w := range m.writers {
		w.use(needles)
	}
}

// Text returns text as a Writer would write it.
func (m *Masks) Text(text string) string {
	m.mu.Lock()
	needles := m.needles
	m.mu.Unlock()
	var out strings.Builder
	w := NewWriter(&out, needles)
	_, err := io.WriteString(w, text)
	if err = errors.Join(err, w.Close()); err != nil {
		return Masked // a strings.Builder takes all
	}
	return out.String()
}

// Marks returns how many Masked all Writers have written. It waits until each running
// Write has returned.
func (m *Masks) Marks() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all int64
	for _, w := range m.writers {
		w.mu.Lock()
		all += w.marks
		w.mu.Unlock()
	}
	return all
}

// Close closes all Writers. It joins their errors.
func (m *Masks) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, w := range m.writers {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}
