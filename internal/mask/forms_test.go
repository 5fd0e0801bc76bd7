package mask_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/mask"
)

// secretTexts are texts with all characters that some encoding treats specially.
func secretTexts() []string {
	ascii := make([]byte, 128)
	for i := range ascii {
		ascii[i] = byte(i)
	}
	return append(newCredentials().texts(),
		string(ascii), "with spaces & <tags>", "größer als 8", "\u2028line\u2029", "broken\xff\xc3utf8\xe2\x80", `quote"\/slash`, "12345678")
}

func has(t *testing.T, forms [][]byte, want, by string) {
	t.Helper()
	if !slices.ContainsFunc(forms, func(form []byte) bool { return string(form) == want }) {
		t.Errorf("no form %q, as %s writes it", want, by)
	}
}

func TestFormsAsJSON(t *testing.T) {
	t.Parallel()
	for _, text := range secretTexts() {
		forms := mask.Forms(mask.NewSecret(text))
		for _, escapeHTML := range []bool{true, false} {
			var out bytes.Buffer
			encoder := json.NewEncoder(&out)
			encoder.SetEscapeHTML(escapeHTML)
			if err := encoder.Encode(text); err != nil {
				t.Fatal(err)
			}
			quoted := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(out.String()), `"`), `"`)
			has(t, forms, quoted, "encoding/json")
			has(t, forms, strings.ReplaceAll(quoted, "/", `\/`), "PHP")
		}
	}
}

func TestFormsInURLs(t *testing.T) {
	t.Parallel()
	escape := regexp.MustCompile("%..")
	for _, text := range secretTexts() {
		forms := mask.Forms(mask.NewSecret(text))
		component := strings.ReplaceAll(url.QueryEscape(text), "+", "%20")
		for by, want := range map[string]string{
			"url.QueryEscape":            url.QueryEscape(text),
			"url.PathEscape":             url.PathEscape(text),
			"the AWS signature":          component,
			"Python's urllib.parse":      strings.ReplaceAll(component, "%2F", "/"),
			"nobody, but as text itself": text,
		} {
			has(t, forms, want, by)
			if by != "nobody, but as text itself" {
				has(t, forms, escape.ReplaceAllStringFunc(want, strings.ToLower), by+" in lower case")
			}
		}
	}
}

// TestFormsInBase64 determines which characters depend on the secret alone: those that
// stay when all bits around it change.
func TestFormsInBase64(t *testing.T) {
	t.Parallel()
	for _, text := range secretTexts() {
		forms := mask.Forms(mask.NewSecret(text))
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			for before := range 6 {
				zeros := encoding.EncodeToString([]byte(strings.Repeat("\x00", before) + text + "\x00\x00\x00"))
				ones := encoding.EncodeToString([]byte(strings.Repeat("\xff", before) + text + "\xff\xff\xff"))
				var common []byte
				for i := range zeros {
					if zeros[i] == ones[i] && zeros[i] != '=' {
						common = append(common, zeros[i])
					}
				}
				has(t, forms, string(common), "base64")
			}
			alone := encoding.EncodeToString([]byte(text))
			if !slices.ContainsFunc(forms, func(form []byte) bool { return strings.Contains(alone, string(form)) }) {
				t.Errorf("no form is in %q", alone)
			}
		}
	}
}

func TestFormsHaveNoDuplicates(t *testing.T) {
	t.Parallel()
	for _, text := range secretTexts() {
		forms := mask.Forms(mask.NewSecret(text))
		for i, form := range forms {
			if len(form) < 8 {
				t.Errorf("form %q of %q is short", form, text)
			}
			if slices.ContainsFunc(forms[:i], func(other []byte) bool { return bytes.Equal(other, form) }) {
				t.Errorf("form %q of %q comes twice", form, text)
			}
		}
	}
	if n := len(mask.Forms(mask.NewSecret(newCredentials().jwt))); n != 4 {
		t.Errorf("a JWT has %d forms, want itself and 3 in base64", n)
	}
}

func TestShortSecretsAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":        "secret 2 of 2 has 0 bytes, need at least 8 to mask it",
		"1234567": "secret 2 of 2 has 7 bytes, need at least 8 to mask it",
	} {
		_, err := mask.NewNeedles(mask.NewSecret("long enough"), mask.NewSecret(text))
		if err == nil || err.Error() != want {
			t.Errorf("NewNeedles with %q: %v, want %s", text, err, want)
		}
	}
	if _, err := mask.NewNeedles(); err == nil || err.Error() != "no secrets to mask" {
		t.Errorf("NewNeedles without secrets: %v", err)
	}
	needles, err := mask.NewNeedles(mask.NewSecret("12345678"))
	if err != nil {
		t.Errorf("NewNeedles with 8 bytes: %v", err)
	}
	if _, err := needles.With(mask.NewSecret("short")); err == nil || err.Error() != "secret 1 of 1 has 5 bytes, need at least 8 to mask it" {
		t.Errorf("With a short secret: %v", err)
	}
}
