package lab_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
	"rolecall/test/lab"
)

// theSecret has all that a URL writes differently.
const theSecret = "s3cr3t+of/the=job"

// packed is content as a compressor writes it.
func packed(t *testing.T, w io.WriteCloser, buffer *bytes.Buffer, content string) string {
	t.Helper()
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	kit.Must(t, w.Close())
	return buffer.String()
}

func gzipped(t *testing.T, content string) string {
	var buffer bytes.Buffer
	return packed(t, gzip.NewWriter(&buffer), &buffer, content)
}

func zlibbed(t *testing.T, content string) string {
	var buffer bytes.Buffer
	return packed(t, zlib.NewWriter(&buffer), &buffer, content)
}

func zipped(t *testing.T, name, content string) string {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	entry, err := archive.Create(name)
	kit.Must(t, err)
	if _, err := io.WriteString(entry, content); err != nil {
		t.Fatal(err)
	}
	kit.Must(t, archive.Close())
	return buffer.String()
}

func write(t *testing.T, path, content string) {
	t.Helper()
	kit.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
	kit.Must(t, os.WriteFile(path, []byte(content), 0o600))
}

// TestSearchFinds has one hiding place a case; each must be found, and only it.
func TestSearchFinds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("much text\n", 100_000)
	for name, hide := range map[string]func(t *testing.T, dir string){
		"content":     func(t *testing.T, dir string) { write(t, dir+"/a/b/c", "KEY="+theSecret+"\n") },
		"long file":   func(t *testing.T, dir string) { write(t, dir+"/log", long+theSecret+long) },
		"hidden file": func(t *testing.T, dir string) { write(t, dir+"/.x/.aws.alpha.env", theSecret) },
		"url":         func(t *testing.T, dir string) { write(t, dir+"/log", "?token="+url.QueryEscape(theSecret)) },
		"file name":   func(t *testing.T, dir string) { write(t, dir+"/"+url.PathEscape(theSecret), "") },
		"folder name": func(t *testing.T, dir string) { write(t, dir+"/"+url.QueryEscape(theSecret)+"/f", "") },
		"link":        func(t *testing.T, dir string) { link(t, "/nowhere/"+theSecret, dir+"/link") },
		"gzip":        func(t *testing.T, dir string) { write(t, dir+"/x.gz", gzipped(t, long+theSecret)) },
		"cut off gzip": func(t *testing.T, dir string) {
			whole := gzipped(t, theSecret+"\n"+long)
			write(t, dir+"/x.gz", whole[:len(whole)-8])
		},
		"git object":     func(t *testing.T, dir string) { write(t, dir+"/.git/objects/1", zlibbed(t, "blob "+theSecret)) },
		"zip":            func(t *testing.T, dir string) { write(t, dir+"/cache.zip", zipped(t, "f", long+theSecret)) },
		"zip entry name": func(t *testing.T, dir string) { write(t, dir+"/a.zip", zipped(t, theSecret, "")) },
		"gzip in zip":    func(t *testing.T, dir string) { write(t, dir+"/a.zip", zipped(t, "f.gz", gzipped(t, long+theSecret))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir+"/innocent", "nothing here")
			hide(t, dir)
			files, found, err := lab.Search([]string{"another", theSecret}, dir)
			if err != nil || files < 2 || len(found) != 1 {
				t.Fatalf("%d files, found %q, %v; want 1 found", files, found, err)
			}
			if strings.Contains(found[0], theSecret) || strings.Contains(found[0], "innocent") {
				t.Errorf("found %q", found[0])
			}
		})
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	kit.Must(t, os.Symlink(target, path))
}

func TestSearchFindsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir+"/a/file", theSecret[:len(theSecret)-1])
	write(t, dir+"/b.zip", zipped(t, "f", "nothing"))
	write(t, dir+"/x is no zlib", "x is the first byte of zlib's")
	link(t, "a/file", dir+"/link")
	files, found, err := lab.Search([]string{theSecret}, dir, filepath.Join(dir, "missing"))
	if err != nil || len(found) > 0 {
		t.Errorf("found %q, %v", found, err)
	}
	if want := 5; files != want { // the entry of the zip too
		t.Errorf("looked into %d files, want %d", files, want)
	}
}

// TestSearchForNothing would find nothing wherever it looked.
func TestSearchForNothing(t *testing.T) {
	t.Parallel()
	for _, secrets := range [][]string{nil, {""}} {
		if _, _, err := lab.Search(secrets, t.TempDir()); err == nil {
			t.Errorf("a search for %q is no error", secrets)
		}
	}
}
