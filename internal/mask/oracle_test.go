package mask_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"rolecall/internal/mask"
)

// rule is a form, and the offset from which a Writer searches for it: an occurrence
// begins there or later.
type rule struct {
	form  []byte
	since int
}

// oracle returns the output of a Writer after input, by the definition alone: find all
// occurrences of all forms, mark their bytes, replace the runs. Unless the input has
// ended, the output ends before the longest suffix that is a proper prefix of a form,
// or after the covered bytes at the beginning of this suffix.
func oracle(rules []rule, input []byte, over bool) []byte {
	covered := make([]bool, len(input))
	for _, r := range rules {
		for i := r.since; i+len(r.form) <= len(input); i++ {
			if bytes.HasPrefix(input[i:], r.form) {
				for j := range r.form {
					covered[i+j] = true
				}
			}
		}
	}
	end := len(input)
	if !over {
		end -= longestPrefix(rules, input, 1)
	}
	for end < len(input) && covered[end] {
		end++
	}
	var out []byte
	for i := range end {
		switch {
		case !covered[i]:
			out = append(out, input[i])
		case i == 0 || !covered[i-1]:
			out = append(out, mask.Masked...)
		}
	}
	return out
}

// longestPrefix returns the length of the longest suffix of input that is a form
// without its last missing bytes, or a prefix of this.
func longestPrefix(rules []rule, input []byte, missing int) int {
	longest := 0
	for _, r := range rules {
		for n := min(len(r.form)-missing, len(input)-r.since); n > longest; n-- {
			if bytes.HasSuffix(input, r.form[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// added returns rules with a rule for a form that is added after input. A Writer
// searches for it in the bytes that it took for the beginning of another form, and in
// all later ones.
func added(rules []rule, form, input []byte) []rule {
	return append(rules, rule{form, len(input) - longestPrefix(rules, input, 0)})
}

// check writes the chunks of a sample, each from the Writer's own buffer or not, and
// adds forms. After each chunk and at the end it compares the output with the oracle.
func check(t *testing.T, s sample) {
	t.Helper()
	var out bytes.Buffer
	var input []byte
	var rules []rule
	masks := mask.NewMasks()
	w := masks.Writer(&out)
	add := func(forms [][]byte) {
		for _, form := range forms {
			masks.AddForms([][]byte{form})
			rules = added(rules, form, input)
		}
	}
	add(s.known)
	for i, c := range s.chunks {
		write(t, w, c.text, i%2 == 0, func() { add(c.add) })
		input = append(input, c.text...)
		if want := oracle(rules, input, false); len(c.text) > 0 && !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("%v: after chunk %d came out\n%q, want\n%q", s, i, out.Bytes(), want)
		}
	}
	if err := masks.Close(); err != nil {
		t.Fatal(err)
	}
	if want := oracle(rules, input, true); !bytes.Equal(out.Bytes(), want) {
		t.Fatalf("%v: in the end came out\n%q, want\n%q", s, out.Bytes(), want)
	}
}

// write writes text, from the Writer's own buffer if own is set, and then overwrites
// its own copy: a Writer must not keep or change it. It calls before when it has the
// buffer.
func write(t *testing.T, w *mask.Writer, text []byte, own bool, before func()) {
	t.Helper()
	passed := bytes.Clone(text)
	if own {
		passed = append(w.AvailableBuffer(), text...)
	}
	before()
	if n, err := w.Write(passed); n != len(text) || err != nil {
		t.Fatalf("Write of %d bytes = %d, %v", len(text), n, err)
	}
	if own {
		return
	}
	if !bytes.Equal(passed, text) {
		t.Fatalf("Write changed %q to %q", text, passed)
	}
	clear(passed)
}

func FuzzWriter(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s.needles, s.text, s.cuts)
	}
	f.Fuzz(func(t *testing.T, needles, text, cuts []byte) {
		if len(needles)+len(text) > 300 || len(cuts) > 200 {
			t.Skip("too long for the oracle")
		}
		check(t, seed{"", needles, text, cuts}.decode())
	})
}

// TestSeeds checks that FuzzWriter has seeds, that some add a form later, and that each
// seed masks something.
func TestSeeds(t *testing.T) {
	t.Parallel()
	if len(seeds()) == 0 {
		t.Fatal("FuzzWriter has no seeds")
	}
	adds := false
	for _, s := range seeds() {
		decoded := s.decode()
		var rules []rule
		for _, form := range decoded.forms() {
			rules = append(rules, rule{form, 0})
		}
		if s.name != "a run of one letter" && !bytes.Contains(oracle(rules, decoded.text(), true), []byte(mask.Masked)) {
			t.Errorf("seed %q masks nothing: %v", s.name, decoded)
		}
		adds = adds || len(decoded.known) < len(decoded.forms())
	}
	if !adds {
		t.Error("no seed adds a form")
	}
}

// TestRandom tries random samples, the same in every run.
func TestRandom(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 6))
	noise := func(n int) []byte {
		text := make([]byte, n)
		for i := range text {
			text[i] = byte(random.IntN(256))
		}
		return text
	}
	for range 2000 {
		cuts := noise(random.IntN(40))
		for i := range cuts {
			cuts[i] %= 12
			if random.IntN(10) == 0 {
				cuts[i] |= adds
			}
		}
		check(t, seed{"", noise(random.IntN(150)), noise(random.IntN(60)), cuts}.decode())
	}
}

// TestAdditionsAtEveryCut cuts texts at any three places, and adds a form at the
// second and one at the third.
func TestAdditionsAtEveryCut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text   string
		forms  []string // those that are added are the last two
		masked string   // with all forms from the beginning
	}{
		{"-abcd-efgh-abcd-efgh-", []string{"abcd", "efgh"}, "-[MASKED]-[MASKED]-[MASKED]-[MASKED]-"},
		{"-abcdabcdabcdx-abcda", []string{"abcda", "bcdabcdx"}, "-[MASKED]-[MASKED]"},
		{"-abcdefgh-abcdefg-abcd", []string{"abcdefgh", "abcd", "cdef"}, "-[MASKED]-[MASKED]g-[MASKED]"},
		{"-abcdefgh-cdefghij-gh", []string{"abcdefgh", "abcd", "efghij", "cdefghijk"}, "-[MASKED]-cd[MASKED]-gh"},
		{"aabaabaabaacaabaacaab", []string{"aabaac", "abaa", "baabaaca"}, "a[MASKED]aab"},
		{"-abcdefghijkl-", []string{"abcdefghijkl", "abcd", "efgh", "cdefghij"}, "-[MASKED]-"},
	} {
		text, forms := []byte(test.text), [][]byte{}
		var rules []rule
		for _, form := range test.forms {
			forms = append(forms, []byte(form))
			rules = append(rules, rule{[]byte(form), 0})
		}
		if got := oracle(rules, text, true); string(got) != test.masked {
			t.Errorf("the oracle makes %q of %q, want %q", got, text, test.masked)
		}
		known, first, second := forms[:len(forms)-2], forms[len(forms)-2:len(forms)-1], forms[len(forms)-1:]
		for i := range len(text) + 1 {
			for j := i; j <= len(text); j++ {
				for k := j; k <= len(text); k++ {
					check(t, sample{known, []chunk{{nil, text[:i]}, {nil, text[i:j]}, {first, text[j:k]}, {second, text[k:]}}})
				}
			}
		}
	}
}
