package runs_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"rolecall/internal/runs"
)

// naive returns what In must return, by a look at every byte.
func naive(a *runs.Alphabet, text []byte, from, to, least int) []string {
	var all []string
	start := -1
	for i := 0; i <= len(text); i++ {
		inside := i < len(text) && a[text[i]]
		switch {
		case inside && start < 0:
			start = i
		case !inside && start >= 0:
			if i-start >= least && start >= from && start < to {
				all = append(all, fmt.Sprint(start, "-", i))
			}
			start = -1
		}
	}
	return all
}

// collect returns what In returns, in the form of naive.
func collect(a *runs.Alphabet, text []byte, from, to, least int) []string {
	var all []string
	for start, end := range a.In(text, from, to, least) {
		all = append(all, fmt.Sprint(start, "-", end))
	}
	return all
}

// TestIn: in texts of any kind the runs are those that a look at every byte finds.
func TestIn(t *testing.T) {
	t.Parallel()
	a := runs.Of("ab", "c")
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 20_000 {
		text := make([]byte, random.IntN(40))
		rare := 1 + random.IntN(8)
		for i := range text {
			if text[i] = "abc"[random.IntN(3)]; random.IntN(rare) == 0 {
				text[i] = " d\xff"[random.IntN(3)]
			}
		}
		from := random.IntN(len(text) + 1)
		to := from + random.IntN(len(text)-from+1)
		least := 1 + random.IntN(6)
		got, want := collect(a, text, from, to, least), naive(a, text, from, to, least)
		if !slices.Equal(got, want) {
			t.Fatalf("runs of %d in %q from %d to %d: %q, want %q", least, text, from, to, got, want)
		}
		found += len(want)
	}
	if found < 1000 {
		t.Errorf("only %d runs were looked for", found)
	}
}

// TestInStops: the caller may stop at the first run.
func TestInStops(t *testing.T) {
	t.Parallel()
	count := 0
	for range runs.Of("a").In([]byte("a a a"), 0, 5, 1) {
		count++
		break
	}
	if count != 1 {
		t.Errorf("%d runs", count)
	}
}

func TestHas(t *testing.T) {
	t.Parallel()
	a := runs.Of("ab")
	for text, want := range map[string]bool{"": true, "abba": true, "abc": false, "a\xff": false} {
		if got := a.Has(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

func BenchmarkIn(b *testing.B) {
	a := runs.Of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
	random := rand.New(rand.NewPCG(1, 2))
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"[random.IntN(64)]
	}
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		for start, end := range a.In(text, 0, len(text), 20) {
			if end-start > 60 {
				b.Fatal("a run that long is no chance")
			}
		}
	}
}
