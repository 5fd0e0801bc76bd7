package mask_test

import (
	"io"
	"testing"

	"rolecall/internal/mask"
)

// TestMarks: each mark that a Writer writes counts once, however the output is cut, and a
// text that is masked beside the Writers does not count.
func TestMarks(t *testing.T) {
	t.Parallel()
	masks := mask.NewMasks()
	out, err := masks.Writer(io.Discard), masks.Writer(io.Discard)
	if err := masks.Add(named("12345678", "abcdefgh")...); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		to   io.Writer
		text string
		want int64 // after it
	}{
		{out, "nothing 1234567", 0},
		{out, "8", 1},
		{out, "12345678", 1}, // touches the one before
		{out, "-12345678-abcdefgh", 3},
		{err, "12345678\n", 4},
	} {
		if _, err := io.WriteString(step.to, step.text); err != nil {
			t.Fatal(err)
		}
		if got := masks.Marks(); got != step.want {
			t.Errorf("after %q: %d marks, want %d", step.text, got, step.want)
		}
	}
	if got := masks.Text("x12345678"); got != "x[MASKED]" || masks.Marks() != 4 {
		t.Errorf("Text: %q, and %d marks, want 4", got, masks.Marks())
	}
}

// TestText: a text is masked whole, also where it ends within a secret or there is none.
func TestText(t *testing.T) {
	t.Parallel()
	masks := mask.NewMasks()
	if got := masks.Text("12345678"); got != "12345678" {
		t.Errorf("without secrets: %q", got)
	}
	if err := masks.Add(named("12345678")...); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"": "", "1234567": "1234567", "a 12345678 b 123": "a [MASKED] b 123"} {
		if got := masks.Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
