package scan_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/gate/scan"
	"rolecall/test/kit"
)

// TestFullTemp: an archive for which the disk of temporary files has no room is a problem.
func TestFullTemp(t *testing.T) {
	if !kit.InMounts(t, "a disk that is full") {
		return
	}
	dir, temp := t.TempDir(), filepath.Join(t.TempDir(), "disk")
	kit.Mount(t, temp, "size=64k", 0)
	write(t, dir, "large.tar.gz", gzipOf("", tarOf("b", zipOf("c", fmt.Appendf(nil, "%x", noise(700<<10))))))
	want(t, scanned(t, scan.Options{Dir: dir, Temp: temp}, "large.tar.gz"), nil, []string{"large.tar.gz: b: no space left on device"})
}

// TestSocket: what cannot be opened as it is no file is irregular.
func TestSocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	kit.Must(t, unix.Mknod(filepath.Join(dir, "socket"), unix.S_IFSOCK|0o600, 0))
	want(t, scanned(t, scan.Options{Dir: dir}, "socket"), nil, []string{"socket: : " + scan.ErrIrregular.Error()})
}

// TestBrokenSpool: a zip inside an archive is a problem of the disk, not a damaged zip, if its
// copy on disk cannot be read: here from 1 MiB on, where its end is, or from 1 to 2 MiB, where
// its second entry is.
func TestBrokenSpool(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	dir, temp, zeros := t.TempDir(), t.TempDir(), make([]byte, 1200<<10)
	write(t, dir, "end.gz", gzipOf("", storedOf("c", zeros)))
	write(t, dir, "second.tar.gz", gzipOf("", tarOf("b", threeInZip(zeros))))
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_PREAD64, Arg: 3, Mask: 3 << 20, Has: 1 << 20}))
	want(t, scanned(t, scan.Options{Dir: dir, Temp: temp}, "end.gz", "second.tar.gz"), nil, []string{
		"end.gz: : input/output error",
		"second.tar.gz: b: input/output error", "second.tar.gz: b > second: " + scan.ErrDamaged.Error(),
	})
}

// TestBrokenDisk: a file that cannot be looked at or read is a problem, and so is an archive
// that cannot be read once more to be unpacked.
func TestBrokenDisk(t *testing.T) {
	t.Parallel()
	for name, number := range map[string]uint32{"look": unix.SYS_FSTAT, "unpack": unix.SYS_PREAD64} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			dir := t.TempDir()
			write(t, dir, "a.zip", zipOf("c", []byte(secret(1))))
			write(t, dir, "b.tar.gz", gzipOf("", tarOf("c", []byte(secret(1)))))
			kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: number}))
			want(t, scanned(t, scan.Options{Dir: dir}, "a.zip", "b.tar.gz"), nil, []string{"a.zip: : input/output error", "b.tar.gz: : input/output error"})
		})
	}
}

// threeInZip returns a zip of a secret between two files.
func threeInZip(file []byte) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	must(must(w.CreateHeader(&zip.FileHeader{Name: "first"})).Write(file))
	must(must(w.Create("second")).Write([]byte(secret(1))))
	must(must(w.CreateHeader(&zip.FileHeader{Name: "third"})).Write(file))
	must(0, w.Close())
	return out.Bytes()
}
