package mask_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"rolecall/internal/mask"
)

// TestMemory writes the texts that need the most memory and allocations.
func TestMemory(t *testing.T) {
	c := newCredentials()
	needles := needlesOf(t, c.texts()...)
	for name, chunk := range map[string]string{
		"log":      string(ciLog(64<<10, c.texts()...)),
		"hits":     strings.Repeat(c.id+" ", 3000),
		"prefix":   c.session[:1199],
		"one byte": "e",
		"large":    strings.Repeat(c.jwt, 100),
	} {
		w := mask.NewWriter(io.Discard, needles)
		own := func() {
			_, _ = w.Write(append(w.AvailableBuffer(), chunk[:min(len(chunk), 30<<10)]...))
		}
		other := []byte(chunk)
		write := func() { _, _ = w.Write(other) }
		for range 20 {
			write()
			own()
		}
		if n := testing.AllocsPerRun(10, write) + testing.AllocsPerRun(10, own); n > 0 {
			t.Errorf("%s: %v allocations per Write", name, n)
		}
		if n := w.Footprint(); n > 512<<10 {
			t.Errorf("%s: a Writer keeps %d bytes", name, n)
		}
	}
}

// TestMemoryOfDrops writes single bytes while one byte is always held.
func TestMemoryOfDrops(t *testing.T) {
	t.Parallel()
	w := mask.NewWriter(io.Discard, needlesOf(t, newCredentials().texts()...))
	for range 1 << 18 {
		if _, err := w.Write([]byte("e")); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Footprint(); n > 1<<10 {
		t.Errorf("a Writer that holds a byte keeps %d", n)
	}
}

// TestShared writes a secret through many Writers that share Needles, while Finders find a short secret by
// them. The nodes beyond the gates are made meanwhile; "go test -race" sees what is shared then.
func TestShared(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	for range 10 {
		needles := needlesOf(t, append(c.texts(), "hunter12")...)
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				var out bytes.Buffer
				w := mask.NewWriter(&out, needles)
				_, _ = fmt.Fprint(w, c.jwt[:1999], c.session, i)
				if w.Close() != nil || out.String() != fmt.Sprint(c.jwt[:1999], mask.Masked, i) {
					t.Errorf("Writer %d wrote %q", i, &out)
				}
			})
			group.Go(func() {
				f := mask.NewFinder(needles)
				if !f.Find([]byte("a hunter12")) || !f.Found()[len(f.Found())-1] || f.Find([]byte(c.jwt[:1999])) {
					t.Errorf("Finder %d has found %v", i, f.Found())
				}
			})
		}
		group.Wait()
	}
}
