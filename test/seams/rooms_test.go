package seams_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// TestToysAreSmall: a backend or a provider takes less than 100 lines.
func TestToysAreSmall(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"../toy/toy.go", "provider_test.go"} {
		content, err := os.ReadFile(path)
		kit.Must(t, err)
		if n := bytes.Count(content, []byte("\n")); n >= 100 || n == 0 {
			t.Errorf("%s has %d lines, want less than 100", path, n)
		}
	}
}

// TestNoRoomNamesTheToys: what the programs are made of knows no toy, and no file of
// the provider's is outside test.
func TestNoRoomNamesTheToys(t *testing.T) {
	t.Parallel()
	anyToy := regexp.MustCompile(`(?i)\btoys?\b|toy_|_toy|toyProvider|test/seams`)
	provider := regexp.MustCompile(`(?i)toy_word|toyProvider|test/seams`)
	searched := 0
	for _, root := range []string{"../../cmd", "../../internal"} {
		kit.Must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			content, err := os.ReadFile(path)
			names := anyToy
			if strings.HasSuffix(path, "_test.go") { // tests of the stages use the backend
				names = provider
			}
			if found := names.Find(content); found != nil {
				t.Errorf("%s names %q", path, found)
			}
			searched++
			return err
		}))
	}
	if searched < 200 {
		t.Errorf("%d files searched: correct the folders of this test", searched)
	}
}
