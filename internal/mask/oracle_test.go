package mask_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"rolecall/internal/mask"
)

// oracle returns what a Writer has written after input, by the definition alone:
// find all occurrences of all forms, mark their bytes, replace the runs. Unless
// the input is over, that ends before the longest suffix that is a proper prefix
// of a form, or after the covered bytes at the beginning of that suffix.
func oracle(forms [][]byte, input []byte, over bool) []byte {
	covered := make([]bool, len(input))
	for _, form := range forms {
		for i := 0; i+len(form) <= len(input); i++ {
			if bytes.HasPrefix(input[i:], form) {
				for j := range form {
					covered[i+j] = true
				}
			}
		}
	}
	end := len(input)
	if !over {
		end -= longestPrefix(forms, input)
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

// longestPrefix returns the length of the longest suffix of input that is a
// proper prefix of one of forms.
func longestPrefix(forms [][]byte, input []byte) int {
	longest := 0
	for _, form := range forms {
		for n := min(len(form)-1, len(input)); n > longest; n-- {
			if bytes.HasSuffix(input, form[:n]) {
				longest = n
			}
		}
	}
	return longest
}

// checkChunks writes chunks and compares what has come out, after each of them
// and at the end, with the oracle.
func checkChunks(t *testing.T, forms, chunks [][]byte) {
	t.Helper()
	var out bytes.Buffer
	var input []byte
	w := mask.NewWriter(&out, mask.NewNeedlesOf(forms))
	for i, chunk := range chunks {
		input = append(input, chunk...)
		write(t, w, chunk, i%2 == 0)
		if want := oracle(forms, input, false); !bytes.Equal(out.Bytes(), want) {
			t.Fatalf("forms %q, chunks %q: after chunk %d came out\n%q, want\n%q", forms, chunks, i, out.Bytes(), want)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if want := oracle(forms, input, true); !bytes.Equal(out.Bytes(), want) {
		t.Fatalf("forms %q, chunks %q: in the end came out\n%q, want\n%q", forms, chunks, out.Bytes(), want)
	}
}

// write writes chunk, from the Writer's own buffer if own, and then spoils what it
// passed: a Writer must not keep or change what is not its own.
func write(t *testing.T, w *mask.Writer, chunk []byte, own bool) {
	t.Helper()
	passed := bytes.Clone(chunk)
	if own {
		passed = append(w.AvailableBuffer(), chunk...)
	}
	if n, err := w.Write(passed); n != len(chunk) || err != nil {
		t.Fatalf("Write of %d bytes = %d, %v", len(chunk), n, err)
	}
	if own {
		return
	}
	if !bytes.Equal(passed, chunk) {
		t.Fatalf("Write changed %q to %q", chunk, passed)
	}
	clear(passed)
}

// seed is an input of FuzzWriter.
type seed struct {
	name                string
	needles, text, cuts []byte
}

// decode returns the case that a seed means. Needles are separated by bytes from
// 0xf0 on; in the text, those from 0xe0 on stand for a part of a needle and those
// from 0xc0 on for a whole one; all other bytes are one of three letters. Each cut
// is the length of a chunk.
func (s seed) decode() (forms, chunks [][]byte) {
	letter := func(b byte) byte { return "ab\x00"[b%3] }
	var form []byte
	for _, b := range slices.Concat(s.needles, []byte{0xff}) {
		if b < 0xf0 {
			form = append(form, letter(b))
			continue
		}
		if len(form) >= 4 && len(forms) < 8 {
			forms = append(forms, form)
		}
		form = nil
	}
	if len(forms) == 0 {
		return nil, nil
	}
	var text []byte
	for _, b := range s.text {
		form := forms[int(b)%len(forms)]
		switch {
		case b >= 0xe0:
			text = append(text, form[:int(b)*7%len(form)]...)
		case b >= 0xc0:
			text = append(text, form...)
		default:
			text = append(text, letter(b))
		}
	}
	for _, cut := range s.cuts {
		n := min(int(cut), len(text))
		chunks = append(chunks, text[:n])
		text = text[n:]
	}
	return forms, append(chunks, text)
}

// seeds returns what FuzzWriter starts with; they run in every go test.
func seeds() []seed {
	ones := bytes.Repeat([]byte{1}, 100)
	return []seed{
		{"one needle, whole", []byte("abbaab"), []byte("ab\xc0ba"), []byte{3, 2}},
		{"overlaps itself", []byte("aabaabaac"), []byte("aabaab\xc0aabaac\xe5\xc0"), ones},
		{"a run of one letter", []byte("aaaaaaaaaaaaaaaaaaaab"), bytes.Repeat([]byte("a"), 60), ones},
		{"nested", []byte("abcabcabcabcabcab\xffbcab\xffcabcabcabcabcab"), []byte("\xc0\xc1\xc2\xe1\xc0\xe2\xe4"), []byte{7, 7, 1, 1, 9}},
		{"a prefix and a suffix of another", []byte("abcaabbcc\xffabca\xffbbcc"), []byte("\xc0\xc1\xc2\xe3\xc2\xc1"), ones},
		{"covered inside what is held", []byte("abcabacabacbcabcabca\xffbaca"), []byte("\xe9\xea\xeb\xecbaca\xec"), ones},
		{"touching", []byte("abcb\xffcbca"), []byte("\xc0\xc0\xc1\xc1\xc0a\xc1"), []byte{4, 0, 4, 1}},
	}
}

func FuzzWriter(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s.needles, s.text, s.cuts)
	}
	f.Fuzz(func(t *testing.T, needles, text, cuts []byte) {
		if len(needles)+len(text) > 300 || len(cuts) > 200 {
			t.Skip("too long for the oracle")
		}
		if forms, chunks := (seed{"", needles, text, cuts}).decode(); forms != nil {
			checkChunks(t, forms, chunks)
		}
	})
}

// TestSeeds fails if FuzzWriter has nothing to start with, or a seed that masks
// nothing.
func TestSeeds(t *testing.T) {
	t.Parallel()
	if len(seeds()) == 0 {
		t.Fatal("FuzzWriter has no seeds")
	}
	for _, s := range seeds() {
		forms, chunks := s.decode()
		text := bytes.Join(chunks, nil)
		if s.name != "a run of one letter" && !bytes.Contains(oracle(forms, text, true), []byte(mask.Masked)) {
			t.Errorf("seed %q masks nothing of %q with %q", s.name, text, forms)
		}
	}
}

// TestRandom tries what the fuzzer would, the same in every run.
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
	for range 1500 {
		cuts := noise(random.IntN(40))
		for i := range cuts {
			cuts[i] %= 12
		}
		s := seed{"", noise(random.IntN(150)), noise(random.IntN(60)), cuts}
		if forms, chunks := s.decode(); forms != nil {
			checkChunks(t, forms, chunks)
		}
	}
}
