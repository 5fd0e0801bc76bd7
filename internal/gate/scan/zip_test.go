package scan_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"rolecall/internal/gate/scan"
)

// TestZipEnds scans zips that unpackers read, though other bytes are around them.
func TestZipEnds(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inner := zipOf("a", []byte(secret(1)))
	var commented bytes.Buffer
	w := zip.NewWriter(&commented)
	must(0, w.SetComment(strings.Repeat("comment ", 8000)+"PK\x05\x06"+strings.Repeat("\xff", 30)+"PK\x05\x06"))
	must(must(w.Create("a")).Write([]byte(secret(1))))
	must(0, w.Close())
	var moved bytes.Buffer
	moved.WriteString("#!/usr/bin/env python\n")
	w = zip.NewWriter(&moved)
	w.SetOffset(int64(moved.Len()))
	must(must(w.Create("a")).Write([]byte(secret(1))))
	must(0, w.Close())
	for name, content := range map[string][]byte{
		"after anything": append([]byte("anything"), inner...),
		"after many":     append(make([]byte, 256<<10-len(inner)+10), inner...), // of the end, 10 bytes in a read of their own
		"commented":      commented.Bytes(),
		"program":        append([]byte("MZ"), commented.Bytes()...),
		"ELF program":    append([]byte("\x7fELF"), commented.Bytes()...),
		"script":         append([]byte("#!/"), commented.Bytes()...),
		"moved":          moved.Bytes(),
		"trailing zeros": append(bytes.Clone(inner), make([]byte, 100)...),
		"64 bits":        zip64Of(inner),
		"64 bit count":   with(zip64Of(inner), -22+12, 8, 0),
		"64 bit size":    with(with(zip64Of(inner), -22+10, 2, 1), -22+16, 4, 0),
		"64 bit offset":  with(with(zip64Of(inner), -22+10, 2, 1), -22+12, 4, 0),
	} {
		write(t, dir, name, content)
		if r := scanned(t, scan.Options{Dir: dir}, name); len(r.Findings) != 1 || r.Findings[0].Inside != "a" || len(r.Problems) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// TestSpool scans zips inside archives that are too large for memory.
func TestSpool(t *testing.T) {
	t.Parallel()
	dir, temp := t.TempDir(), t.TempDir()
	large := fmt.Appendf(nil, "%x%s", noise(700<<10), secret(1))
	write(t, dir, "large.tar.gz", gzipOf("", tarOf("b", zipOf("c", append(large, large...)))))
	write(t, dir, "twice.zip", zipOf("b", zipOf("c", zipOf("d", large))))
	names := []string{"large.tar.gz", "twice.zip"}
	want(t, scanned(t, scan.Options{Dir: dir, Temp: temp}, names...),
		[]string{"large.tar.gz: b > c: secret access key", "twice.zip: b > c > d: secret access key"}, nil)
	want(t, scanned(t, scan.Options{Dir: dir}, names...), nil,
		[]string{"large.tar.gz: b: " + scan.ErrSpool.Error(), "twice.zip: b: " + scan.ErrSpool.Error()})
	want(t, scanned(t, scan.Options{Dir: dir, Temp: temp + "/gone"}, names...), nil,
		[]string{"large.tar.gz: b: no such file or directory", "twice.zip: b: no such file or directory"})
	if left := must(os.ReadDir(temp)); len(left) > 0 {
		t.Errorf("left in the folder for temporary files: %v", left)
	}
}
