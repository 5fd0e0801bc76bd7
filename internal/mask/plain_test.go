package mask_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/mask"
)

// author writes forms as programs print them.
type author struct{ *rand.Rand }

// one returns one of texts.
func (a author) one(texts ...string) string { return texts[a.IntN(len(texts))] }

// char returns c, as it is or as a token.
func (a author) char(c byte) string {
	const escapable = "\"&'+/<=>`"
	if strings.IndexByte(escapable, c) < 0 || a.IntN(2) == 0 {
		return string(rune(c))
	}
	zeros := strings.Repeat("0", a.IntN(6))
	named := map[byte]string{'+': "&plus;", '/': `\/`, '=': "&equals;", '&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&quot;", '\'': "&apos;", '`': "&#96;"}
	return a.one(fmt.Sprintf(`\u%04x`, c), fmt.Sprintf(`\u%04X`, c), fmt.Sprintf("&#%s%d;", zeros, c),
		fmt.Sprintf("&#x%s%x;", zeros, c), fmt.Sprintf("&#X%s%X;", zeros, c), named[c])
}

// gap returns what can be between two characters.
func (a author) gap(often int) string {
	if a.IntN(often) > 0 {
		return ""
	}
	sequence := func() string { return a.one("", "", "\x1b[m", "\x1b[0;31m", "\x1b[K", "\x1b(B", "\x1b[1;2!p") }
	return sequence() + a.one("", "\n", "\r\n") + sequence()
}

// spell returns a form, or the beginning of one.
func (a author) spell(form []byte) string {
	var out strings.Builder
	often := a.one("a", "aaaa", strings.Repeat("a", 30))
	for i, c := range form {
		if i > 0 {
			out.WriteString(a.gap(len(often)))
		}
		out.WriteString(a.char(c))
	}
	text := out.String()
	if a.IntN(4) == 0 {
		text = text[:a.IntN(len(text))]
	}
	return text
}

// text returns a text with forms among letters and parts of tokens.
func (a author) text(forms [][]byte) string {
	var out strings.Builder
	for range a.IntN(6) {
		for range a.IntN(4) {
			out.WriteString(a.one("a", "b", "+", "/", "m", "1", "\n", "\r", "\r\n", "\x1b", "\x1b[", "\x1b[1", "\x1b[m", "\\", `\u00`, `\u002b`, "&", "&#", "&amp;", "&#43", ";", "u", "0", "x"))
		}
		out.WriteString(a.spell(forms[a.IntN(len(forms))]))
	}
	return out.String()
}

// forms returns forms over few characters.
func (a author) forms() [][]byte {
	alphabet := a.one("ab", "ab+", "a/b=<", "abm1", "ab+&", "u0b2", "x'`>")
	var forms [][]byte
	for range 1 + a.IntN(3) {
		form := make([]byte, 4+a.IntN(24))
		for i := range form {
			form[i] = alphabet[a.IntN(len(alphabet))]
		}
		forms = append(forms, form)
	}
	return forms
}

// pieces cuts text.
func (a author) pieces(text string) []string {
	var pieces []string
	most := 1 + a.IntN(40)
	for text != "" {
		n := min(len(text), 1+a.IntN(most))
		pieces, text = append(pieces, text[:n]), text[n:]
	}
	return pieces
}

// TestPlain compares Writer and Finder with the oracle.
func TestPlain(t *testing.T) {
	t.Parallel()
	// With few characters, parts of tokens and of forms are often alike.
	a, o := author{rand.New(rand.NewPCG(11, 12))}, newPlainOracle()
	unclear, hits := 0, 0
	const rounds = 2000
	for range rounds {
		forms := a.forms()
		text := a.text(forms)
		needles := mask.NewNeedlesOf(forms)
		whole := masked(t, needles, text)
		for _, pieces := range [][]string{a.pieces(text), strings.Split(text, "")} {
			if cut := masked(t, needles, pieces...); cut != whole {
				t.Fatalf("forms %q: %q is masked as\n%q, cut as %q as\n%q", forms, text, whole, pieces, cut)
			}
		}
		want := render(text, o.find(forms, text))
		if whole != want {
			checkUnclear(t, o, forms, text)
			unclear++
		}
		if strings.Contains(want, mask.Masked) {
			hits++
		}
	}
	if unclear > rounds/10 || hits < rounds/5 {
		t.Errorf("of %d texts %d can be read in two ways, and %d have secrets", rounds, unclear, hits)
	}
}

// checkUnclear checks a text that is not masked as the oracle does it. A reader who begins
// within a token may see a form there that others do not see. What all see must be masked, and
// nothing that nobody sees.
func checkUnclear(t *testing.T, o plainOracle, forms [][]byte, text string) {
	t.Helper()
	covered := mask.Covered(mask.NewNeedlesOf(forms), []byte(text))
	known := o.find(forms, text)
	least, most := coveredBy(known, len(text)), coveredBy(o.findAnywhere(forms, text), len(text))
	if !within(least, covered) || !within(covered, most) || slices.Equal(least, most) {
		t.Fatalf("forms %q in %q: covered is %v, want %q", forms, text, covered, render(text, known))
	}
}

// FuzzPlain compares the Writer with the oracle, for a text in two pieces.
func FuzzPlain(f *testing.F) {
	a := author{rand.New(rand.NewPCG(13, 14))}
	for range 50 {
		forms := a.forms()
		text := a.text(forms)
		f.Add(string(forms[0]), text, len(text)/2)
	}
	o := newPlainOracle()
	f.Fuzz(func(t *testing.T, form, text string, cut int) {
		if len(form) < 4 || len(form) > 64 || len(text) > 300 || strings.ContainsAny(form, "\n\r\x1b\\") || strings.Contains(text, "\x00") {
			return // nothing for the oracle
		}
		forms := [][]byte{[]byte(form)}
		needles := mask.NewNeedlesOf(forms)
		whole := masked(t, needles, text)
		at := max(0, min(cut, len(text)))
		if pieces := masked(t, needles, text[:at], text[at:]); pieces != whole {
			t.Errorf("form %q: %q is masked as\n%q, cut at %d as\n%q", form, text, whole, at, pieces)
		}
		if whole != render(text, o.find(forms, text)) {
			checkUnclear(t, o, forms, text)
		}
	})
}
