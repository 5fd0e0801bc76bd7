package scan_test

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"rolecall/internal/gate/scan"
)

// wide returns text in UTF-16.
func wide(order binary.AppendByteOrder, text string) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

// TestUTF16 searches files in UTF-16, at even and odd offsets, with and without a mark of the
// byte order, as they are and in archives.
func TestUTF16(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var names, places []string
	for name, order := range map[string]binary.AppendByteOrder{"be": binary.BigEndian, "le": binary.LittleEndian} {
		for i, text := range []string{
			secret(1), "\ufeffkey: " + secret(1) + "\r\n", "größe " + base64.StdEncoding.EncodeToString([]byte("x"+secret(1))) + "\n",
			strings.ReplaceAll(secret(1), "/", "%2F"),
		} {
			for odd := range 2 {
				file := name + string(rune('0'+i)) + string(rune('0'+odd))
				content := wide(order, text)
				write(t, dir, file, append(make([]byte, odd), content...))
				write(t, dir, file+".gz", gzipOf("", content))
				names = append(names, file, file+".gz")
				places = append(places, file, file+".gz")
			}
		}
		write(t, dir, name+"clean", wide(order, secret(1)[:39]+"-"))
		names = append(names, name+"clean")
	}
	result := scanned(t, scan.Options{Dir: dir}, names...)
	found := map[string]bool{}
	for _, f := range result.Findings {
		found[f.Name] = f.Kinds[0] == "secret access key"
	}
	for _, place := range places {
		if !found[place] {
			t.Errorf("nothing found in %s", place)
		}
	}
	if len(found) != len(places) || len(result.Problems) > 0 {
		t.Errorf("found %v, problems %v", found, result.Problems)
	}
}

// TestSplitForms searches files in which line breaks or escape sequences split a secret, or its
// characters are escaped, at the edges of reads too.
func TestSplitForms(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	encoded := base64.StdEncoding.EncodeToString([]byte("AWS_SECRET_ACCESS_KEY=" + secret(1) + "\n"))
	for _, text := range []string{
		encoded[:40] + "\r\n" + encoded[40:76] + "\r\n" + encoded[76:],
		secret(1)[:9] + "\x1b[0m" + secret(1)[9:],
		strings.NewReplacer("/", `\u002f`, "+", `\u002B`).Replace(secret(1)),
		strings.NewReplacer("/", "&#x2F;", "+", "&plus;").Replace(secret(1)),
	} {
		for cut := 0; cut <= len(text); cut += 3 {
			const edge = 256 << 10
			content := []byte(strings.Repeat(".", edge-cut) + text + ".")
			write(t, dir, "file", content)
			write(t, dir, "file.gz", gzipOf("", content))
			if result := scanned(t, scan.Options{Dir: dir}, "file", "file.gz"); len(result.Findings) != 2 {
				t.Fatalf("%q cut after %d bytes: %+v", text, cut, result)
			}
		}
	}
}
