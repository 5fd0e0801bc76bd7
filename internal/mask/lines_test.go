package mask_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"rolecall/internal/mask"
)

// wrap breaks text into lines of width bytes.
func wrap(text, lineBreak string, width int) string {
	var lines []string
	for ; len(text) > width; text = text[width:] {
		lines = append(lines, text[:width])
	}
	return strings.Join(append(lines, text), lineBreak)
}

// TestWrapped wraps an env file in base64 at each width, as base64 and openssl do. What is
// left of a secret in the output are two characters at most.
func TestWrapped(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	for _, text := range []string{c.key, c.id, c.session[:200], c.jwt} {
		needles := needlesOf(t, text)
		for offset := range 3 {
			file := strings.Repeat("x", 40+offset) + "=" + text + "\nAWS_REGION=eu-west-1\n"
			for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawURLEncoding} {
				encoded := encoding.EncodeToString([]byte(file))
				alone := masked(t, needles, encoded)
				before, after, _ := strings.Cut(alone, mask.Masked)
				for width := range 80 {
					for _, lineBreak := range []string{"\n", "\r\n"} {
						got := masked(t, needles, wrap(encoded, lineBreak, width+1))
						left := strings.NewReplacer("\n", "", "\r", "").Replace(got)
						first, last, _ := strings.Cut(left, mask.Masked)
						if !strings.HasPrefix(first, before) || len(first) > len(before)+2 || last != after {
							t.Fatalf("lines of %d, offset %d: %q", width+1, offset, got)
						}
					}
				}
			}
		}
	}
}

func TestBetweenCharacters(t *testing.T) {
	t.Parallel()
	const secret = "abcdef+/=<>&\"ghijkl"
	needles := needlesOf(t, secret)
	colour := "\x1b[31m"
	for name, test := range map[string]struct{ text, want string }{
		"a colour":                  {"-abc\x1b[0;1mdef+/=<>&\"ghijkl-", "-[MASKED]\x1b[m-"},
		"a colour at each edge":     {colour + secret + "\x1b[0m-", colour + "[MASKED]\x1b[0m-"},
		"a colour each":             {strings.Join(strings.Split(secret, ""), colour), "[MASKED]\x1b[m"},
		"a colour and a line":       {"-abc\x1b[0m\r\n\x1b[31mdef+/=<>&\"ghijkl-", "-[MASKED]\x1b[m-"},
		"a character set":           {"-abc\x1b(B\x1b[mdef+/=<>&\"ghijkl-", "-[MASKED]\x1b[m-"},
		"behind no sequence":        {"\x1b[" + secret + "-", "\x1b[[MASKED]-"},
		"a line":                    {"abc\ndef+/=<>&\"ghijkl", "[MASKED]"},
		"a line behind the first":   {"a\nbcdef+/=<>&\"ghijkl", "a\n[MASKED]"},
		"a line behind the second":  {"ab\ncdef+/=<>&\"ghijkl", "ab\n[MASKED]"},
		"lines behind each":         {wrap(secret, "\n", 1), "a\nb\n[MASKED]"},
		"two lines":                 {"abc\n\ndef+/=<>&\"ghijkl", "abc\n\ndef+/=<>&\"ghijkl"},
		"a lone return":             {"abc\rdef+/=<>&\"ghijkl", "abc\rdef+/=<>&\"ghijkl"},
		"JSON in upper case":        {`abcdef\u002B\u002F\u003D\u003C\u003E\u0026\u0022ghijkl`, "[MASKED]"},
		"JSON in lower case, mixed": {`abcdef\u002b\/=\u003c>\u0026\u0022ghijkl`, "[MASKED]"},
		"names":                     {"abcdef&plus;&sol;&equals;&lt;&gt;&amp;&quot;ghijkl", "[MASKED]"},
		"numbers":                   {"abcdef&#43;&#047;&#0061;&#x3c;&#X3E;&#x0026;&#34;ghijkl", "[MASKED]"},
		"no token":                  {`abcdef\u002B\u002F\u003D\u003C\u003E\u0026\u002ghijkl`, `abcdef\u002B\u002F\u003D\u003C\u003E\u0026\u002ghijkl`},
		"128 bytes between":         {"abc" + strings.Repeat("\x1b[0m", 32) + "def+/=<>&\"ghijkl", "[MASKED]\x1b[m"},
		"132 bytes between":         {"abc" + strings.Repeat("\x1b[0m", 33) + "def+/=<>&\"ghijkl", "abc" + strings.Repeat("\x1b[0m", 33) + "def+/=<>&\"ghijkl"},
		"a token of 64 bytes":       {"abcdef&#" + strings.Repeat("0", 59) + "43;/=<>&\"ghijkl", "[MASKED]"},
		"a token of 65 bytes":       {"abcdef&#" + strings.Repeat("0", 60) + "43;/=<>&\"ghijkl", "abcdef&#" + strings.Repeat("0", 60) + "43;/=<>&\"ghijkl"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for i := range len(test.text) + 1 {
				for j := i; j <= min(len(test.text), i+12); j++ {
					if got := masked(t, needles, test.text[:i], test.text[i:j], test.text[j:]); got != test.want {
						t.Fatalf("%q cut at %d and %d: %q, want %q", test.text, i, j, got, test.want)
					}
				}
			}
			if got := masked(t, needles, strings.Split(test.text, "")...); got != test.want {
				t.Errorf("%q byte by byte: %q, want %q", test.text, got, test.want)
			}
		})
	}
}

// TestSecretWithLines: a secret of several lines is found with other line breaks too.
func TestSecretWithLines(t *testing.T) {
	t.Parallel()
	needles := needlesOf(t, "-----BEGIN KEY-----\nabcdefgh\nijklmnop\n-----END KEY-----\n")
	for _, text := range []string{
		"-----BEGIN KEY-----\nabcdefgh\nijklmnop\n-----END KEY-----",
		"-----BEGIN KEY-----\r\nabcdefgh\r\nijklmnop\r\n-----END KEY-----",
		"-----BEGIN KEY-----abcdefghijklmnop-----END KEY-----",
	} {
		if got := masked(t, needles, "x"+text+"x"); got != "x[MASKED]x" {
			t.Errorf("%q is masked as %q", text, got)
		}
	}
}

// TestLinesComeAtOnce: whatever a line ends with by chance, it comes out when it ends.
func TestLinesComeAtOnce(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	needles := needlesOf(t, c.texts()...)
	for _, secret := range c.texts() {
		for _, form := range mask.Forms(mask.NewSecret(secret)) {
			for _, end := range []string{"\n", "\r\n", "\x1b[0m\n"} {
				var out bytes.Buffer
				w := mask.NewWriter(&out, needles)
				for i, line := range []string{"a line" + end, "a line " + string(form[:1]) + end, "a line " + string(form[:2]) + end, "\x1b[1m"} {
					before := out.Len()
					if _, err := io.WriteString(w, line); err != nil || out.Len() != before+len(line) {
						t.Fatalf("of %q, line %d, came out %q, %v", line, i, out.Bytes()[before:], err)
					}
				}
			}
		}
	}
}

// TestHeldIsBounded writes the longest text that may still become a secret.
func TestHeldIsBounded(t *testing.T) {
	t.Parallel()
	c := newCredentials()
	w := mask.NewWriter(io.Discard, needlesOf(t, c.texts()...))
	for i := range c.session[:1199] {
		if _, err := fmt.Fprint(w, c.session[i:i+1], strings.Repeat("\x1b[0m", 32)); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Footprint(); n > 512<<10 {
		t.Errorf("a Writer keeps %d bytes", n)
	}
	var out bytes.Buffer
	w = mask.NewWriter(&out, needlesOf(t, "abcdefghijkl"))
	for range 1000 {
		if _, err := io.WriteString(w, "abc\x1b[0m\n"); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.Footprint(); n > 16<<10 || out.Len() < 7990 {
		t.Errorf("a Writer keeps %d bytes, and %d came out", n, out.Len())
	}
}

// TestAddBetween adds a secret at each place of texts with another one.
func TestAddBetween(t *testing.T) {
	t.Parallel()
	text := "-12\x1b[0m345\n678ab\\u002Bcd-1234\n5678ab+cd-"
	for cut := range len(text) + 1 {
		var out bytes.Buffer
		masks := mask.NewMasks()
		w := masks.Writer(&out)
		if err := masks.Add(named("12345678ab+cd")...); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text[:cut])
		if err := masks.Add(named("5678ab+c")...); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, text[cut:])
		if err := masks.Close(); err != nil || out.String() != "-[MASKED]\x1b[m-[MASKED]-" {
			t.Errorf("added at %d: %q, %v", cut, &out, err)
		}
	}
	for _, end := range []string{"ab+c-", "ab\\u002Bc-", "\nab&#43;c-"} {
		var out bytes.Buffer
		masks := mask.NewMasks()
		w := masks.Writer(&out)
		if err := masks.Add(named("12345678ab+cd")...); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, "-1234\n56\x1b[m78")
		if err := masks.Add(named("5678ab+c")...); err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(w, end)
		if err := masks.Close(); err != nil || out.String() != "-1234\n[MASKED]\x1b[m-" {
			t.Errorf("with %q: %q, %v", end, &out, err)
		}
	}
}
