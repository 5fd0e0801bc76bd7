package mask_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"rolecall/internal/mask"
)

// masked returns the output for chunks.
func masked(t *testing.T, needles *mask.Needles, chunks ...string) string {
	t.Helper()
	var out bytes.Buffer
	w := mask.NewWriter(&out, needles)
	for _, chunk := range chunks {
		if n, err := io.WriteString(w, chunk); n != len(chunk) || err != nil {
			t.Fatalf("Write of %d bytes = %d, %v", len(chunk), n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTwoWaySplits(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	texts := []string{c.key, c.id, c.session[:250], c.jwt[:250]}
	needles := needlesOf(t, texts...)
	for _, text := range texts {
		for _, form := range mask.Forms(mask.NewSecret(text)) {
			line := "AKIA " + string(form) + "\r\nQ"
			for i := range len(line) + 1 {
				if got := masked(t, needles, line[:i], line[i:]); got != "AKIA [MASKED]\r\nQ" {
					t.Fatalf("%q split at %d: %q", line, i, got)
				}
			}
		}
	}
}

func TestThreeWaySplits(t *testing.T) {
	t.Parallel()
	texts := []string{"IQoIQoJb3JpZ2lu+/A==", "ASIASIAQ7EXAMPLE", "eyJhbGci.e30.e-_3", "k/8+E\"<&x"}
	needles := needlesOf(t, texts...)
	for _, text := range texts {
		for _, form := range mask.Forms(mask.NewSecret(text)) {
			line := "I" + string(form) + "\x00\n" // nothing that may begin a form
			for i := range len(line) + 1 {
				for j := i; j <= len(line); j++ {
					if got := masked(t, needles, line[:i], line[i:j], line[j:]); got != "I[MASKED]\x00\n" {
						t.Fatalf("%q split at %d and %d: %q", line, i, j, got)
					}
				}
			}
		}
	}
}

func TestOneByteAtATime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text, want string
		secrets          []string
	}{
		{"overlaps itself", "ASIASIAQ7EX ASI ASIAQ7EX", "ASI[MASKED] ASI [MASKED]", []string{"ASIAQ7EX"}},
		{"a session token", "IQoIQoJb3Jp IQoJb3J", "IQo[MASKED] IQoJb3J", []string{"IQoJb3Jp"}},
		{"occurrences that overlap", "-abcabcabcabcabc-", "-[MASKED]-", []string{"abcabcabc"}},
		{"two that overlap", "-12345678abcdefgh-", "-[MASKED]-", []string{"12345678abc", "78abcdefgh"}},
		{"adjacent", "12345678abcdefgh12345678", "[MASKED]", []string{"12345678", "abcdefgh"}},
		{"not quite adjacent", "12345678 abcdefgh", "[MASKED] [MASKED]", []string{"12345678", "abcdefgh"}},
		{"a prefix of another", "12345678 12345678abcd 12345678abcx", "[MASKED] [MASKED] [MASKED]abcx", []string{"12345678abcd", "12345678"}},
		{"a suffix of another", "12345678 abcd12345678 bcd12345678", "[MASKED] [MASKED] bcd[MASKED]", []string{"abcd12345678", "12345678"}},
		{"inside another", "ab12345678yz ab12345678y", "[MASKED] ab[MASKED]y", []string{"ab12345678yz", "12345678"}},
		{"touching in both orders", "xabcdefghabcdefghx", "x[MASKED]x", []string{"abcdefgh"}},
		{"cut short at the end", "x 12345678abc", "x [MASKED]abc", []string{"12345678", "8abcdefgh"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			needles := needlesOf(t, test.secrets...)
			if got := masked(t, needles, strings.Split(test.text, "")...); got != test.want {
				t.Errorf("%q byte by byte: %q, want %q", test.text, got, test.want)
			}
			if got := masked(t, needles, test.text); got != test.want {
				t.Errorf("%q at once: %q, want %q", test.text, got, test.want)
			}
		})
	}
}

// TestAllElseUnchanged writes much text without secrets, in pieces of many sizes.
func TestAllElseUnchanged(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	binary := make([]byte, 1<<20)
	random := rand.New(rand.NewPCG(7, 8))
	for i := range binary {
		binary[i] = byte(random.Uint32())
	}
	for name, text := range map[string]string{
		"binary":   string(binary),
		"NUL":      strings.Repeat("\x00", 1<<18),
		"ANSI":     strings.Repeat("\x1b[32;1mok\x1b[0;m\r\n", 10000),
		"one line": strings.Repeat("x", 50<<20),
		"prefixes": strings.Repeat(c.session[:1199], 300),
		"no more":  "password: ",
	} {
		for _, size := range []int{len(text), max(4093, len(text)/1000)} {
			var chunks []string
			for rest := text; rest != ""; rest = rest[len(chunks[len(chunks)-1]):] {
				chunks = append(chunks, rest[:min(size, len(rest))])
			}
			if masked(t, needlesOf(t, c.texts()...), chunks...) != text {
				t.Errorf("%s in pieces of %d changed", name, size)
			}
		}
	}
}

// counter counts writes, and fails after left bytes.
type counter struct {
	writes, left int
	err          error
}

func (c *counter) Write(p []byte) (int, error) {
	c.writes++
	n := min(len(p), c.left)
	if c.left -= n; n < len(p) {
		return n, c.err
	}
	return n, nil
}

func TestErrorsStay(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken pipe")
	for name, test := range map[string]struct{ err, want error }{"an error": {broken, broken}, "a short write": {nil, io.ErrShortWrite}} {
		to := &counter{left: 100 << 10, err: test.err}
		w := mask.NewWriter(to, needlesOf(t, "a secret text"))
		if n, err := w.Write(make([]byte, 200<<10)); n != 64<<10 || !errors.Is(err, test.want) {
			t.Errorf("%s: Write = %d, %v, want the 64 KiB before it and %v", name, n, err, test.want)
		}
		to.left = 1 << 20
		if n, err := w.Write([]byte("more")); n != 0 || !errors.Is(err, test.want) {
			t.Errorf("%s: next Write = %d, %v, want 0, %v", name, n, err, test.want)
		}
		if err := w.Close(); !errors.Is(err, test.want) || to.writes != 2 {
			t.Errorf("%s: Close = %v after %d writes, want %v after 2", name, err, to.writes, test.want)
		}
	}
}

func TestClose(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := mask.NewWriter(&out, needlesOf(t, "a secret text"))
	if n, err := io.WriteString(w, "is it a secret"); n != 14 || err != nil || out.String() != "is it " {
		t.Errorf("Write = %d, %v, wrote %q", n, err, &out)
	}
	for range 2 {
		if err := w.Close(); err != nil || out.String() != "is it a secret" {
			t.Errorf("Close = %v, wrote %q", err, &out)
		}
	}
	if n, err := io.WriteString(w, " text"); n != 0 || !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Write after Close = %d, %v, want %v", n, err, fs.ErrClosed)
	}
}

func TestOneWriteForOne(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	to := &counter{left: 1 << 30}
	w := mask.NewWriter(to, needlesOf(t, c.texts()...))
	for i, chunk := range []string{strings.Repeat(c.key+"\n", 1000), c.jwt[:1000], c.jwt[1000:] + c.session[:5], "\n", ""} {
		before := to.writes
		if _, err := io.WriteString(w, chunk); err != nil || to.writes > before+1 {
			t.Errorf("chunk %d: %v, %d writes", i, err, to.writes-before)
		}
	}
}

// TestAvailableBuffer: whatever is held, the buffer takes all that a pipe holds, and begins
// where a cache line does, so that a read is fast.
func TestAvailableBuffer(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	needles := needlesOf(t, c.texts()...)
	for held := range len(c.session) {
		var out bytes.Buffer
		w := mask.NewWriter(&out, needles)
		before := w.AvailableBuffer()
		_, _ = w.Write(append(before, "x"+c.session[:held]...))
		buffer := w.AvailableBuffer()
		if room, at := cap(buffer), reflect.ValueOf(buffer).Pointer(); len(buffer) > 0 || room != 64<<10 || at%64 != 0 {
			t.Fatalf("%d bytes are held: the buffer has %d bytes and room for %d, at %#x", held, len(buffer), room, at)
		}
		if _, err := w.Write(append(buffer, c.session[held:]+"y"...)); err != nil || out.String() != "x[MASKED]y" {
			t.Fatalf("%d bytes are held: %v, wrote %q", held, err, &out)
		}
	}
}
