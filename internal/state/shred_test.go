package state_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// TestFileIsShredded: whoever has the file of a credential open reads zeros after
// Remove, also by a name that the job has given it.
func TestFileIsShredded(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(p place) error{
		"where it was": func(place) error { return nil },
		"moved":        func(p place) error { return os.Rename(p.file(), filepath.Join(p.secret(7), "x")) },
		"moved away":   func(p place) error { return os.Rename(p.file(), filepath.Join(p.dir, "x")) },
		"gone":         func(p place) error { return os.Remove(p.file()) },
	} {
		p := newPlace(t)
		p.writeFile(t)
		held, err := os.Open(p.file())
		kit.Must(t, err)
		kit.Must(t, move(p))
		p.remove(t, 7)
		content := make([]byte, 4096)
		n, _ := held.Read(content)
		if n == 0 || len(bytes.Trim(content[:n], "\x00")) > 0 {
			t.Errorf("%s: the open file reads %q, want zeros", name, content[:n])
		}
		kit.Must(t, held.Close())
		p.gone(t, 7)
	}
}

// TestOlderCopyIsShredded: the driver's own copy of the versions before has another
// name.
func TestOlderCopyIsShredded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	create(t, p, 7).Close()
	older := filepath.Join(p.folder(7), "issued.env")
	kit.Must(t, os.WriteFile(older, credentials().EnvFile(), 0o600))
	held, err := os.Open(older)
	kit.Must(t, err)
	defer held.Close()
	p.remove(t, 7)
	content := make([]byte, 4096)
	n, _ := held.Read(content)
	if n == 0 || len(bytes.Trim(content[:n], "\x00")) > 0 {
		t.Errorf("it reads %q, want zeros", content[:n])
	}
	p.gone(t, 7)
}

// TestLargeCopyIsShredded: the driver's own copy is overwritten as far as it can reach.
func TestLargeCopyIsShredded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	set := credentials()
	for range 10 {
		set[0].Secrets = append(set[0].Secrets, mask.Named{Kind: "long", Value: mask.NewSecret(strings.Repeat("x", 64<<10))})
	}
	kit.Must(t, f.Write(set))
	held, err := os.Open(p.issued(7))
	kit.Must(t, err)
	defer held.Close()
	p.remove(t, 7)
	content := make([]byte, 1<<20)
	n, _ := held.Read(content)
	if n < 640<<10 || len(bytes.Trim(content[:n], "\x00")) > 0 {
		t.Errorf("%d bytes are left that are not all zero", n)
	}
}
