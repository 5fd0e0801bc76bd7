package selection_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/gate/selection"
	"rolecall/test/kit"
)

// TestRandomAsTheArchiver compares the selection with the runner's on random trees and
// patterns.
func TestRandomAsTheArchiver(t *testing.T) {
	t.Parallel()
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 3))
		dir := randomTree(t, r)
		u := selection.Upload{Untracked: r.IntN(4) == 0}
		for range 1 + r.IntN(3) {
			u.Paths = append(u.Paths, randomPattern(r, dir))
		}
		for range r.IntN(3) {
			u.Exclude = append(u.Exclude, randomPattern(r, dir))
		}
		if u.Untracked {
			git(t, dir, "init", "-q")
			git(t, dir, "add", "--", "./a*", "./b*")
		}
		compare(t, dir, u)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func pick(r *rand.Rand, from ...string) string { return from[r.IntN(len(from))] }

func randomName(r *rand.Rand) string {
	return pick(r, "a", "b", "ab", "a.b", ".a", "..a", "a b", "a\nb", "{a}", "[a]", "a*", `a\b`, "é", "\xffa", "-a", "a,b", "~", "$a", "%a%")
}

// randomTree makes a tree of files, folders and links, some of which lead out.
func randomTree(t *testing.T, r *rand.Rand) string {
	t.Helper()
	dir := plant(t, []string{"a", "b/a"})
	folders := []string{dir, dir, dir + "/b"}
	for range 25 {
		path := pick(r, folders...) + "/" + randomName(r)
		if _, err := os.Lstat(path); err == nil {
			continue
		}
		var err error
		switch r.IntN(6) {
		case 0, 1:
			err = os.Mkdir(path, 0o755)
			folders = append(folders, path)
		case 2:
			err = os.Symlink(pick(r, "a", "..", ".", "b", "../b", "none", dir, pick(r, folders...)), path)
		default:
			err = os.WriteFile(path, []byte(path), 0o600)
		}
		kit.Must(t, err)
	}
	return dir
}

// randomPattern returns a pattern that usually matches something. It is in UTF-8, as
// JSON is.
func randomPattern(r *rand.Rand, dir string) string {
	return strings.ToValidUTF8(anyPattern(r, dir), "\uFFFD")
}

func anyPattern(r *rand.Rand, dir string) string {
	var parts []string
	for range 1 + r.IntN(4) {
		parts = append(parts, pick(r, randomName(r), "*", "**", "a*", "?", "{a,b}", "{a/b,b/a}", "{,a}", "[ab]", "[^a]", ".*", "*b", "..", ".", "**/a",
			`\`+randomName(r), "{a,{b,ab}}", "{a,}", "{b/*/a,a/*}", "{*,a}.b", "*{a,b}", "{}", "a**", "$VALUE", "${NONE}", "${NONE:-b}", "[", "{", "}"))
	}
	pattern := strings.Join(parts, pick(r, "/", "/", "/", "//", ""))
	switch r.IntN(12) {
	case 0:
		return dir + "/" + pattern
	case 1:
		return pattern + "/"
	case 2:
		return filepath.Clean("./" + pattern)
	case 3:
		return fmt.Sprintf("{%s,%s}", pattern, randomName(r))
	}
	return strings.TrimPrefix(pattern, "/")
}
