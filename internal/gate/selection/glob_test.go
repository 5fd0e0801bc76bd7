package selection_test

import (
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/gate/selection"
)

// TestAsTheLibrary compares what a pattern takes with what the runner's library matches, on
// random trees. TestRandomAsTheArchiver does the same with the runner, which is slower.
func TestAsTheLibrary(t *testing.T) {
	t.Parallel()
	for seed := range uint64(150) {
		r := rand.New(rand.NewPCG(seed, 11))
		dir := randomTree(t, r)
		for range 40 {
			// The runner expands $ and takes a \ away; TestRandomAsTheArchiver has both.
			pattern := strings.NewReplacer("$", "", `\`, "").Replace(strings.TrimPrefix(randomPattern(r, dir), dir))
			if pattern = filepath.Clean("./" + pattern); strings.HasPrefix(pattern, "..") {
				continue
			}
			got, problems := selected(t, dir, selection.Upload{Paths: []string{pattern}}, nil)
			want := matched(t, dir, pattern)
			// Behind a link to a folder, the library leaves some folders out whose names are not UTF-8.
			more := slices.DeleteFunc(keys(got), func(name string) bool { return utf8.ValidString(name) || slices.Contains(want, name) })
			if diff := cmp.Diff(want, keys(got), cmpopts.IgnoreSliceElements(func(name string) bool { return slices.Contains(more, name) })); diff != "" || len(problems) > 0 {
				t.Fatalf("seed %d, pattern %q, problems %v: library against selection:\n%s", seed, pattern, problems, diff)
			}
		}
	}
}

// keys returns the keys of a map, sorted.
func keys(of map[string]string) []string {
	all := []string{}
	for key := range of {
		all = append(all, key)
	}
	slices.Sort(all)
	return all
}

// matched returns the files and links in the project at dir that a pattern matches, and
// those in the folders that it matches, sorted.
func matched(t *testing.T, dir, pattern string) []string {
	t.Helper()
	base, rest := doublestar.SplitPattern(pattern)
	matches := []string{rest}
	if rest != "." {
		matches, _ = doublestar.Glob(os.DirFS(filepath.Join(dir, base)), rest, doublestar.WithNoFollow())
	}
	all := map[string]string{}
	for _, match := range matches {
		_ = filepath.Walk(filepath.Join(dir, base, match), func(name string, info fs.FileInfo, err error) error {
			if rel, ok := strings.CutPrefix(name, dir+"/"); ok && err == nil && !info.IsDir() {
				all[path.Clean(rel)] = ""
			}
			return nil
		})
	}
	return keys(all)
}
