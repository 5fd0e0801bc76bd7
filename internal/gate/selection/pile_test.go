package selection_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate/selection"
	"rolecall/test/kit"
)

// fill adds n random paths to a pile, many of them more than once, and returns the
// different ones, sorted.
func fill(p *selection.Pile, n int) []string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	unique := map[string]bool{}
	for range n {
		path, part := fmt.Sprintf("%d/\xff\n%s%d", r.IntN(5), strings.Repeat("x", r.IntN(30)), r.IntN(n)), r.IntN(3)
		p.Add(path, part)
		unique[fmt.Sprint(path, " ", part)] = true
	}
	var want []string
	for path := range unique {
		want = append(want, path)
	}
	// The part is one character, behind the only blank.
	slices.SortFunc(want, func(a, b string) int {
		return strings.Compare(strings.ReplaceAll(a, " ", "\x00"), strings.ReplaceAll(b, " ", "\x00"))
	})
	return want
}

// checkPile checks what a pile gives back, twice: it can be read again.
func checkPile(t *testing.T, p *selection.Pile, want []string) {
	t.Helper()
	for range 2 {
		got, err := p.All()
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %d paths, want %d others", err, len(got), len(want))
		}
	}
}

// TestPile: a pile gives back what was added, sorted, each once, however much it is. Much
// is on disk, and in memory only if there is no disk.
func TestPile(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 100, 8191, 8192, 8193, 50_000, 400_000} {
		dir := t.TempDir()
		onDisk, inMemory := selection.NewPile(dir), selection.NewPile("")
		checkPile(t, onDisk, fill(onDisk, n))
		checkPile(t, inMemory, fill(inMemory, min(n, 50_000)))
		if onDisk.Held() != 0 || (onDisk.File() != nil) != (n >= 8192) || inMemory.File() != nil {
			t.Errorf("%d paths: %d bytes in memory, file %v", n, onDisk.Held(), onDisk.File())
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("in the folder are %v, %v", left, err)
		}
	}
}

// TestPileExceeds: a path that is added often counts once.
func TestPileExceeds(t *testing.T) {
	t.Parallel()
	p := selection.NewPile(t.TempDir())
	for i := range 100_000 {
		if p.Add(fmt.Sprint(i%500), 0); p.Exceeds(500) {
			t.Fatalf("500 paths exceed 500, at %d", i)
		}
	}
	p.Add("one more", 0)
	for i := 0; !p.Exceeds(500); i++ {
		if p.Add("one more", 0); i > 1001 {
			t.Fatal("501 paths do not exceed 500")
		}
	}
}

// TestPileLost: what cannot be read again is an error, not a shorter list.
func TestPileLost(t *testing.T) {
	t.Parallel()
	p := selection.NewPile(t.TempDir())
	fill(p, 50_000)
	kit.Must(t, p.File().Truncate(100_000))
	if all, err := p.All(); err == nil || !strings.Contains(err.Error(), "the list of the files to search: ") {
		t.Errorf("%d paths, %v", len(all), err)
	}
}

// TestPileOnFullDisk: what cannot be written stays in memory.
func TestPileOnFullDisk(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	for _, most := range []uint64{0, 1, 200_000} {
		limit := unix.Rlimit{Cur: most, Max: unix.RLIM_INFINITY}
		kit.Must(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &limit))
		p := selection.NewPile(t.TempDir())
		want := fill(p, 60_000)
		checkPile(t, p, want)
		if p.Held() == 0 {
			t.Errorf("with %d bytes: nothing is in memory", most)
		}
	}
}
