package mask_test

import (
	"strings"
	"testing"

	"rolecall/internal/mask"
)

// TestGaps masks forms with gaps, as a whole and byte by byte: a Writer reads over a gap where it
// sees that no form has one there, and single bytes never show that.
func TestGaps(t *testing.T) {
	t.Parallel()
	const hidden, letters = mask.Masked + "\x1b[m", "m1abcdef x2345678 y3456789"
	for name, test := range map[string]struct {
		forms, text, want string
	}{
		"behind one character":       {"abcdefgh", "a\x1b[mbcdefgh", hidden},
		"behind two":                 {"abcdefgh", "ab\x1b[mcdefgh", hidden},
		"behind three":               {"abcdefgh", "abc\x1b[mdefgh", hidden},
		"behind a line break":        {"abcdefgh", "ab\n\x1b[mcdefgh", "ab\n\x1b[m" + mask.Masked},
		"of many sequences":          {"abcdefgh", "ab" + strings.Repeat("\x1b[m", 9) + "cdefgh", hidden},
		"behind a token":             {"/abcdefg", "\\/\x1b[mabcdefg", hidden},
		"in front of a token":        {"a/bcdefg", "a\x1b[m\\/bcdefg", hidden},
		"of another form's letters":  {"abcdefgh adcbefgh", "ab\x1b[mbefgh", "ab\x1b[mbefgh"},
		"behind a form's line break": {"\nabcdefgh", "\n\x1b[mabcdefgh", hidden},
		// For those who see the sequences as they are, the letter m begins a form. No form begins
		// with x3.
		"from within a sequence":   {letters, "\x1b[m1abcdef", "\x1b[" + mask.Masked},
		"from within one of two":   {letters, "x3\x1b[m\x1b[m1abcdef", "x3\x1b[" + hidden},
		"from within the first":    {letters, "x3\x1b[m\x1b[K1abcdef", "x3\x1b[" + hidden},
		"from within the second":   {letters, "x3\x1b[K\x1b[m1abcdef", "x3\x1b[K\x1b[" + mask.Masked},
		"from within one of three": {letters, "x3\x1b[m\x1b[K\x1b[m1abcdef", "x3\x1b[" + hidden},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var forms [][]byte
			for form := range strings.SplitSeq(test.forms, " ") {
				forms = append(forms, []byte(form))
			}
			text, want := "....-"+test.text+"-", "....-"+test.want+"-"
			needles := mask.NewNeedlesOf(forms)
			whole, single := masked(t, needles, text), masked(t, needles, strings.Split(text, "")...)
			if whole != want || single != want {
				t.Errorf("%q is masked as %q, byte by byte as %q, want %q", text, whole, single, want)
			}
		})
	}
}
