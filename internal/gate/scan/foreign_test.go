package scan_test

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds/aws/keyform"
	"rolecall/internal/gate/scan"
	"rolecall/test/kit"
)

// keys are those of nobody, on two lines.
const keys = "id = AKIA" + "Q3XYZ7ABCDEFGHIJ\nkey = abcdefghijklmnopqrst" + "ABCDEFGHIJKLMNOPQRST\n"

// looking returns options for a scan for keys. Files that begin with strict are Strict.
func looking(dir string) scan.Options {
	return scan.Options{
		Dir:     dir,
		Foreign: func() scan.Search { return keyform.New() },
		Strict:  func(name string) bool { return strings.HasPrefix(name, "strict") },
	}
}

// foreign scans files for keys only, and returns what is found, as "name: inside: kinds,
// line"; what must not be uploaded has a ! before it.
func foreign(t *testing.T, o scan.Options, names ...string) []string {
	t.Helper()
	result, err := scan.Scan(t.Context(), nil, named(names...), o)
	kit.Must(t, err)
	var all []string
	for mark, findings := range map[string][]scan.Finding{"!": result.Findings, "": result.Foreign} {
		for _, f := range findings {
			all = append(all, fmt.Sprintf("%s%s: %s: %s, line %d", mark, f.Name, f.Inside, strings.Join(f.Kinds, " and "), f.Line))
		}
	}
	slices.Sort(all)
	return all
}

// TestForeign: keys are found wherever they are, once a place, with their line.
func TestForeign(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "plain", []byte("one\ntwo\n"+keys+keys))
	write(t, dir, "d/strict.env", []byte(keys))
	write(t, dir, "long", []byte(strings.Repeat("some text\n", 50_000)+keys))
	write(t, dir, "end", []byte(keys[:len(keys)-1]))
	write(t, dir, "strict.zip", zipOf("a", []byte(keys)))
	write(t, dir, "a.tar", tarOf("d/strict.txt", []byte(keys)))
	write(t, dir, "b.zip", storedOf("strict", []byte(keys[:len(keys)-1]))) // followed by letters of the zip
	write(t, dir, "c.gz", gzipOf("", []byte("\n"+keys)))
	write(t, dir, "clean", []byte(strings.Repeat("some text\n", 50_000)))
	names := []string{"plain", "d/strict.env", "long", "end", "strict.zip", "a.tar", "b.zip", "c.gz", "clean"}
	const says = ": " + keyform.KeyPair + ", line "
	if got, want := foreign(t, looking(dir), names...), []string{
		"!a.tar: d/strict.txt" + says + "1",
		"!b.zip: strict" + says + "1",
		"!d/strict.env: " + says + "1",
		"c.gz: " + says + "2",
		"end: " + says + "1",
		"long: " + says + "50001",
		"plain: " + says + "3",
		"strict.zip: a" + says + "1",
	}; !slices.Equal(got, want) {
		t.Errorf("found\n\t%q, want\n\t%q", got, want)
	}
	only := looking(dir)
	only.OnlyStrict = true
	if got, want := foreign(t, only, names...), []string{"!a.tar: d/strict.txt" + says + "1", "!b.zip: strict" + says + "1", "!d/strict.env: " + says + "1"}; !slices.Equal(got, want) {
		t.Errorf("only in strict files, found\n\t%q, want\n\t%q", got, want)
	}
}

// TestForeignAtEveryCut: wherever a file's bytes are cut into pieces, keys are found, on
// the right line.
func TestForeignAtEveryCut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const around = 600 // more than the reach of the search
	for _, edge := range []int{64 << 10, 128 << 10, 256 << 10} {
		for before := edge - around; before < edge+around; before += 23 {
			content := append(bytes.Repeat([]byte("-\n"), before/2), "- "[:before%2]...)
			content = append(content, keys...)
			write(t, dir, "file", content)
			write(t, dir, "packed", gzipOf("", tarOf("a", content))) // comes in smaller pieces
			says := fmt.Sprintf(": %s, line %d", keyform.KeyPair, before/2+1)
			if got, want := foreign(t, looking(dir), "file", "packed"), []string{"file: " + says, "packed: a" + says}; !slices.Equal(got, want) {
				t.Fatalf("after %d bytes: found %q, want %q", before, got, want)
			}
		}
	}
}

// TestForeignBesideSecrets: a place with a secret is refused for the secret.
func TestForeignBesideSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "both", []byte(secret(1)+"\n"+keys))
	write(t, dir, "own", []byte(secret(0)+" "+secret(1)))
	write(t, dir, "other", []byte(keys))
	result := scanned(t, looking(dir), "both", "own", "other")
	want(t, result, []string{"both: : secret access key", "own: : access key id, secret access key"}, nil)
	if len(result.Foreign) != 1 || result.Foreign[0].Name != "other" {
		t.Errorf("foreign keys are in %+v, want in other", result.Foreign)
	}
}

// TestIssued: what is known otherwise than by its text is a secret like the others.
func TestIssued(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "both", []byte(secret(1)+"\n"+keys+keys))
	write(t, dir, "b.tar", tarOf("a", []byte(keys)))
	o := scan.Options{Dir: dir, Issued: func() scan.Search { return keyform.New() }}
	want(t, scanned(t, o, "both", "b.tar"), []string{"b.tar: a: " + keyform.KeyPair, "both: : " + keyform.KeyPair + ", secret access key"}, nil)
}

// TestForeignStrictIsKept: in an archive with many places, one in a strict file is not
// lost among them.
func TestForeignStrictIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all []byte
	for i := range 30 {
		all = append(all, tarOf(fmt.Sprintf("file%02d", i), []byte(keys))[:1024]...)
	}
	write(t, dir, "a.tar", append(all, tarOf("strict", []byte(keys))...))
	result, err := scan.Scan(t.Context(), nil, named("a.tar"), looking(dir))
	kit.Must(t, err)
	if len(result.Findings) != 1 || result.Findings[0].Name != "a.tar" {
		t.Errorf("found %+v, want a.tar", result.Findings)
	}
}

// TestForeignMany: findings in many files do not end the scan, and take bounded memory.
func TestForeignMany(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "file", []byte(keys))
	write(t, dir, "strict", []byte(keys))
	names := append(slices.Repeat([]string{"file"}, 11_000), "strict")
	result, err := scan.Scan(t.Context(), nil, named(names...), looking(dir))
	kit.Must(t, err)
	if len(result.Foreign) != 1000 || result.More != 10_000 || len(result.Findings) != 1 || result.Stopped != nil || result.Files != 11_001 {
		t.Errorf("%d kept and %d more, %d in strict files of %d files, stopped by %v", len(result.Foreign), result.More, len(result.Findings), result.Files, result.Stopped)
	}
}

// TestForeignFew: of 100,000 files three hold keys.
func TestForeignFew(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "clean", []byte(strings.Repeat("some text\n", 20)))
	write(t, dir, "keys", []byte(keys))
	files := iter.Seq[scan.File](func(yield func(scan.File) bool) {
		for i := range 100_000 {
			name := "clean"
			if i%40_000 == 1 {
				name = "keys"
			}
			if !yield(scan.File{Name: name}) {
				return
			}
		}
	})
	begin := time.Now()
	result, err := scan.Scan(t.Context(), nil, files, looking(dir))
	if took := time.Since(begin); err != nil || len(result.Foreign) != 3 || result.Files != 100_000 || took > time.Minute {
		t.Errorf("%d findings in %d files after %v, %v", len(result.Foreign), result.Files, took, err)
	}
}
