package state_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestRemovedWhileOpen: cleanup may come while a run stage still lives.
func TestRemovedWhileOpen(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.write(t, 7)
	p.remove(t, 7)
	if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Read after Remove: %v, want that it does not exist", err)
	}
	if err := f.Write(credentials()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Write after Remove: %v, want that it cannot", err)
	}
	if _, err := state.Open(p.root, key(7)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open after Remove: %v", err)
	}
	p.gone(t, 7)
}

// TestOpenFileSeesNoSecretAfterRemove: a process that kept the file open reads
// zeros.
func TestOpenFileSeesNoSecretAfterRemove(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := p.write(t, 7)
	held, err := os.Open(f.Path())
	kit.Must(t, err)
	defer held.Close()
	issued, err := os.Open(p.issued(7))
	kit.Must(t, err)
	defer issued.Close()
	p.remove(t, 7)
	for _, file := range []*os.File{held, issued} {
		content := make([]byte, 4096)
		n, err := file.Read(content)
		if err != nil || strings.Trim(string(content[:n]), "\x00") != "" || n == 0 {
			t.Errorf("the open file reads %q, %v, want zeros", content[:n], err)
		}
	}
}

func TestRemoveMissing(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.remove(t, 7) // no root
	if _, err := os.Lstat(p.root); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove made the root: %v", err)
	}
	p.write(t, 8)
	p.remove(t, 7) // no job
	p.remove(t, 0)
	if _, err := os.Stat(p.env(8)); err != nil {
		t.Errorf("another job lost its file: %v", err)
	}
}

// TestRemoveHalfMade: whatever part of the job's files a stage got to make, or a
// job removed, the rest goes.
func TestRemoveHalfMade(t *testing.T) {
	t.Parallel()
	for _, missing := range [][]string{
		{"root/7/secret/.aws.alpha.env"},
		{"root/7/secret"},
		{"root/7/kept", "root/7/issued.json"},
		{"builds"},
		{"builds/project.tmp/rolecall-7"},
		{"builds/project.tmp/rolecall-7/.aws.alpha.env"},
		{"root/7/secret/.aws.alpha.env", "builds"},
	} {
		p := newPlace(t)
		p.write(t, 7)
		for _, name := range missing {
			kit.Must(t, os.RemoveAll(filepath.Join(p.dir, name)))
		}
		t.Run(fmt.Sprint(missing), func(t *testing.T) {
			t.Parallel()
			p.remove(t, 7)
			p.gone(t, 7)
		})
	}
}
