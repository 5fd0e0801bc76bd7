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

// TestBrokenMember: a zip in a tar whose bytes cannot be read, at its beginning or behind what
// fits into memory, is a problem of the disk and no other.
func TestBrokenMember(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]uint32{"beginning": 32 << 10, "later": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			dir := t.TempDir()
			write(t, dir, "a.tar", tarOf("b", storedOf("c", make([]byte, 1536<<10))))
			kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_PREAD64, Arg: 3, Mask: from, Has: from}))
			o := scan.Options{Dir: dir}
			if name == "later" {
				o.Temp = t.TempDir()
			}
			want(t, scanned(t, o, "a.tar"), nil, []string{"a.tar: b: input/output error"})
		})
	}
}

// TestShorter: a file that has become shorter since its bytes were searched is a problem, be it
// empty now or cut within the tar that it is.
func TestShorter(t *testing.T) {
	t.Parallel()
	for name, from := range map[string]uint32{"empty": 0, "cut": 128 << 10} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			dir := t.TempDir()
			write(t, dir, "a.zip", append(make([]byte, 128<<10), zipOf("c", nil)...))
			write(t, dir, "b.tar", tarOf("c", make([]byte, 128<<10)))
			kit.Must(t, kit.Deny(0, kit.Call{Number: unix.SYS_PREAD64, Arg: 3, Mask: from, Has: from})) // reads nothing, and that is no error
			want(t, scanned(t, scan.Options{Dir: dir}, "a.zip", "b.tar"), nil,
				[]string{"a.zip: : " + scan.ErrShorter.Error(), "b.tar: : " + scan.ErrShorter.Error()})
		})
	}
}

// TestBrokenEnd: a zip whose end cannot be read is not searched by what was read before it.
func TestBrokenEnd(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	dir := t.TempDir()
	empty := "PK\x05\x06" + string(make([]byte, 18))
	content := make([]byte, 1100<<10)
	copy(content, empty)
	copy(content[1<<20+1000:], empty) // where a read of the end would leave it
	write(t, dir, "a.zip", content)
	kit.Must(t, kit.Deny(unix.EIO, kit.Call{Number: unix.SYS_PREAD64, Arg: 3, Mask: 1 << 20, Has: 1 << 20}))
	want(t, scanned(t, scan.Options{Dir: dir}, "a.zip"), nil, []string{"a.zip: : " + scan.ErrDamaged.Error(), "a.zip: : input/output error"})
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
