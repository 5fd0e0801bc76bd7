package mask_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/mask"
)

// checkFinder passes chunks to a Finder. After each chunk it compares Found with a
// search of the whole text for every form.
func checkFinder(t *testing.T, finder *mask.Finder, forms, chunks [][]byte) {
	t.Helper()
	finder.Reset()
	var text []byte
	known := make([]bool, len(forms))
	for i, chunk := range chunks {
		text = append(text, chunk...)
		want := make([]bool, len(forms))
		for j, form := range forms {
			want[j] = bytes.Contains(text, form)
		}
		news := finder.Find(chunk)
		if !slices.Equal(finder.Found(), want) || news == slices.Equal(known, want) {
			t.Fatalf("forms %q, chunks %q: after chunk %d found %v, news %v, want %v after %v",
				forms, chunks, i, finder.Found(), news, want, known)
		}
		known = want
	}
}

func FuzzFinder(f *testing.F) {
	for _, s := range seeds() {
		f.Add(s.needles, s.text, s.cuts)
	}
	f.Fuzz(func(t *testing.T, needles, text, cuts []byte) {
		if len(needles)+len(text) > 300 || len(cuts) > 200 {
			t.Skip("too long for the oracle")
		}
		s := seed{"", needles, text, cuts}.decode()
		forms := s.forms()
		finder := mask.NewFinder(mask.NewNeedlesOf(forms))
		checkFinder(t, finder, forms, s.texts())
		checkFinder(t, finder, forms, [][]byte{s.text()})
	})
}

func TestFinderTellsSecretsApart(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	texts := append(c.texts(), c.key[8:], c.id) // one inside another, and one twice
	finder := mask.NewFinder(needlesOf(t, texts...))
	for i, text := range texts {
		want := make([]bool, len(texts))
		for j, other := range texts {
			want[j] = bytes.Contains([]byte(text), []byte(other))
		}
		for _, form := range mask.Forms(mask.NewSecret(text)) {
			for cut := range form {
				finder.Reset()
				finder.Find(form[:cut])
				finder.Find(form[cut:])
				if !finder.Found()[i] {
					t.Fatalf("secret %d as %q cut at %d is not found", i, form, cut)
				}
			}
		}
		finder.Reset()
		if finder.Find([]byte("x" + text + "x")); !slices.Equal(finder.Found(), want) {
			t.Errorf("in secret %d found %v, want %v", i, finder.Found(), want)
		}
	}
}

// TestFinderAmongPrefixes searches texts in which forms follow the beginnings of forms.
func TestFinderAmongPrefixes(t *testing.T) {
	t.Parallel()
	c, random := newCredentials(), rand.New(rand.NewPCG(9, 9))
	texts := c.texts()
	finder := mask.NewFinder(needlesOf(t, texts...))
	for range 20_000 {
		var text []byte
		for range 1 + random.IntN(3) {
			prefix := texts[random.IntN(4)]
			text = append(text, prefix[:random.IntN(6)]...)
			text = append(text, prefix[:random.IntN(2)]...)
			for range random.IntN(20) {
				text = append(text, byte(random.Uint32()))
			}
		}
		wanted := random.IntN(4)
		text = append(append(text, texts[wanted]...), "behind it comes more than a window"...)
		finder.Reset()
		if finder.Find(text); !finder.Found()[wanted] {
			t.Fatalf("secret %d is not found in %q", wanted, text)
		}
	}
}

// TestFinderOfLikeSecrets looks for secrets that differ in one byte, each at another place, wherever
// they begin.
func TestFinderOfLikeSecrets(t *testing.T) {
	t.Parallel()
	texts := []string{"abcdefghijklm"}
	for i := range texts[0] {
		texts = append(texts, texts[0][:i]+"9"+texts[0][i+1:])
	}
	finder := mask.NewFinder(needlesOf(t, texts...))
	for i, text := range texts {
		for front := range 2 * len(text) {
			finder.Reset()
			if finder.Find([]byte(strings.Repeat("-", front) + text + ", and more behind it")); !finder.Found()[i] {
				t.Errorf("%s is not found behind %d bytes", text, front)
			}
		}
	}
}

func TestFinderReset(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	finder := mask.NewFinder(needlesOf(t, c.texts()...))
	finder.Find([]byte(c.id + c.key[:39]))
	finder.Reset()
	if finder.Find([]byte(c.key[39:]+" ")) || slices.Contains(finder.Found(), true) {
		t.Errorf("found %v in what comes after a Reset", finder.Found())
	}
}

// TestWith: added secrets have the positions after the others, and the original Needles
// do not find them.
func TestWith(t *testing.T) {
	t.Parallel()
	var none *mask.Needles
	one, err := none.With(mask.NewSecret("the first secret"))
	if err != nil {
		t.Fatal(err)
	}
	three, err := one.With(mask.NewSecret("another secret"), mask.NewSecret("one more secret"))
	if err != nil {
		t.Fatal(err)
	}
	if same, err := three.With(); same != three || err != nil {
		t.Errorf("With nothing returns other Needles or an error: %v", err)
	}
	text := []byte("the first secret, one more secret")
	for _, test := range []struct {
		needles *mask.Needles
		want    []bool
	}{{none, []bool{}}, {one, []bool{true}}, {three, []bool{true, false, true}}} {
		finder := mask.NewFinder(test.needles)
		if news := finder.Find(text); !slices.Equal(finder.Found(), test.want) || news != (len(test.want) > 0) {
			t.Errorf("found %v, news %v, want %v", finder.Found(), news, test.want)
		}
	}
}

// BenchmarkFinder searches a log in pieces of 256 KiB.
func BenchmarkFinder(b *testing.B) {
	data := ciLog(16 << 20)
	finder := mask.NewFinder(needlesOf(b, newCredentials().texts()...))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		for piece := range slices.Chunk(data, 256<<10) {
			finder.Find(piece)
		}
	}
}
