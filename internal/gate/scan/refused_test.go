package scan_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"rolecall/internal/creds/aws/keyform"
	"rolecall/internal/gate/scan"
)

// filesInZip returns a zip of files with the same content, which is not compressed.
func filesInZip(content []byte, names ...string) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, name := range names {
		must(must(w.CreateHeader(&zip.FileHeader{Name: name})).Write(content))
	}
	must(0, w.Close())
	return out.Bytes()
}

// with returns content with a number of these bytes at an index, which counts from the end if
// it is negative.
func with(content []byte, at, bytesOf int, number uint64) []byte {
	out := bytes.Clone(content)
	if at < 0 {
		at += len(out)
	}
	copy(out[at:at+bytesOf], binary.LittleEndian.AppendUint64(nil, number))
	return out
}

// entryAt returns the index of the last entry in the central directory of a zip.
func entryAt(content []byte) int { return bytes.LastIndex(content, []byte("PK\x01\x02")) }

// shortened returns a zip whose central directory ends behind so many bytes of its last entry.
func shortened(content []byte, behind int) []byte {
	from, to := bytes.Index(content, []byte("PK\x01\x02")), entryAt(content)+behind
	out := append(bytes.Clone(content[:to]), content[len(content)-22:]...)
	return with(out, -22+12, 4, uint64(to-from))
}

// TestLyingZips: a zip of which not all can be searched is damaged, wherever it lies.
func TestLyingZips(t *testing.T) {
	t.Parallel()
	packed, stored := zipOf("a", []byte(secret(1))), storedOf("a", []byte(secret(1)))
	large, files := zip64Of(packed), filesInZip(make([]byte, 1000), "a", "b")
	commented := append(with(large, -2, 2, 4), "PK\x06\x06"...)
	for name, test := range map[string]struct {
		content []byte
		inside  string
	}{
		"the 64 bit end is elsewhere":           {with(zip64Of(storedOf("a", make([]byte, 1000))), -42+8, 8, 100), ""},
		"the 64 bit end ends too early":         {with(commented, -46+8, 8, uint64(len(commented)-4)), ""},
		"a directory of a negative length":      {with(large, -98+40, 8, 1<<63), ""},
		"a directory at a negative offset":      {with(large, -98+48, 8, 1<<64-1), ""},
		"a directory larger than the file":      {with(packed, -22+12, 4, 1<<30), ""},
		"a directory behind the file":           {with(packed, -22+16, 4, 1<<30), ""},
		"a directory that is elsewhere":         {with(with(packed, -22+12, 4, 40), -22+16, 4, 5), ""},
		"an entry that is none":                 {with(files, entryAt(files), 4, 0), ""},
		"an entry that has just begun":          {shortened(files, 2), ""},
		"an entry that ends too early":          {shortened(files, 20), ""},
		"the name of an entry ends too early":   {shortened(files, 46), ""},
		"a file that begins elsewhere":          {with(files, entryAt(files)+42, 4, 100), "b"},
		"a file of a negative length":           {with(zip64Of(stored), entryAt(zip64Of(stored))+46+1+4+8, 8, 1<<63), "a"},
		"a file that ends behind the zip's end": {with(stored, entryAt(stored)+20, 4, 1<<20), "a"},
	} {
		dir := t.TempDir()
		write(t, dir, "x", test.content)
		result := scanned(t, scan.Options{Dir: dir}, "x")
		if len(result.Problems) != 1 || result.Problems[0].Inside != test.inside || !errors.Is(result.Problems[0].Reason, scan.ErrDamaged) {
			t.Errorf("%s: problems %+v, want a damaged archive at %q", name, result.Problems, test.inside)
		}
	}
}

// TestOddZips: what other programs put into a zip, or leave out, is no damage.
func TestOddZips(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	good := rawZip("a", 93, 0, zstdOf("", []byte(secret(1)))) // its entry has an extra field
	end := len(good) - 22
	grown := func(by string) []byte {
		out := append(append(bytes.Clone(good[:end]), by...), good[end:]...)
		return with(out, -22+12, 4, uint64(end-entryAt(good)+len(by)))
	}
	for name, content := range map[string][]byte{
		"signed": grown("PK\x05\x05\x00\x00"),                             // 4.3.13
		"extra":  with(grown("\x55\x54\xff\xff"), entryAt(good)+30, 2, 4), // a field that is said to be longer
	} {
		write(t, dir, "x", content)
		want(t, scanned(t, scan.Options{Dir: dir}, "x"), []string{"x: a: secret access key"}, nil)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestFramesWithoutContent: a zstd file of frames to skip holds nothing, but they must end.
func TestFramesWithoutContent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const skip = "\x50\x2a\x4d\x18\x03\x00\x00\x00abc"
	write(t, dir, "only.zst", []byte(skip))
	write(t, dir, "cut.zst", []byte(skip+skip[:len(skip)-1]))
	write(t, dir, "more.zst", []byte(skip+"\x28"))
	want(t, scanned(t, scan.Options{Dir: dir}, "only.zst", "cut.zst", "more.zst"), nil,
		[]string{"cut.zst: : " + scan.ErrDamaged.Error(), "more.zst: : " + scan.ErrDamaged.Error()})
}

// TestWindowsOfFrames: what a frame of zstd needs is bounded, be it the first, one in a single
// segment or a later one.
func TestWindowsOfFrames(t *testing.T) {
	t.Parallel()
	dir, text := t.TempDir(), []byte("text")
	single := must(zstd.NewWriter(nil, zstd.WithSingleSegment(true))).EncodeAll(make([]byte, 9<<20), nil)
	write(t, dir, "later.zst", append(zstdOf("", text), windowed(16<<20, largeText(2<<20))...))
	write(t, dir, "single.zst", single)
	want(t, scanned(t, scan.Options{Dir: dir}, "later.zst", "single.zst"), nil,
		[]string{"later.zst: : " + scan.ErrMemory.Error(), "single.zst: : " + scan.ErrMemory.Error()})
}

// TestSumsOfTars: the checksum of a tar is that of signed or of unsigned bytes.
func TestSumsOfTars(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var out bytes.Buffer
	w, content := tar.NewWriter(&out), gzipOf("", []byte(secret(1)))
	must(0, w.WriteHeader(&tar.Header{Name: "größe", Mode: 0o600, Size: int64(len(content)), Format: tar.FormatGNU}))
	must(w.Write(content))
	must(0, w.Close())
	signed := bytes.Clone(out.Bytes())
	sum := must(strconv.ParseInt(string(signed[148:154]), 8, 64))
	copy(signed[148:], fmt.Sprintf("%06o", sum-4*256)) // four bytes are above 127
	write(t, dir, "signed.tar", signed)
	write(t, dir, "unsigned.tar", out.Bytes())
	want(t, scanned(t, scan.Options{Dir: dir}, "signed.tar", "unsigned.tar"),
		[]string{"signed.tar: größe: secret access key", "unsigned.tar: größe: secret access key"}, nil)
}

// TestOnlyLikeTars: what is no tar is not damaged. The last file is shorter than the header of
// the tar that was read before it.
func TestOnlyLikeTars(t *testing.T) {
	t.Parallel()
	dir, good := t.TempDir(), tarOf("a", []byte("text"))
	write(t, dir, "letter", with(good, 148, 1, 'x'))
	digits := bytes.Repeat([]byte{0xff}, 512)
	clear(digits[120:256]) // the sum of signed bytes is 0
	write(t, dir, "no digits", with(digits, 124, 1, 120))
	write(t, dir, "good", good)
	write(t, dir, "short", good[:300])
	want(t, scanned(t, scan.Options{Dir: dir, Workers: 1}, "letter", "no digits", "good", "short"), nil, nil)
}

// TestPlacesWithMore: a place that has more than the places inside it is named too.
func TestPlacesWithMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	archive := storedOf("a", []byte(secret(1)))
	write(t, dir, "own.zip", append([]byte("MZ"+secret(0)+" "), archive...))
	write(t, dir, "issued.zip", append([]byte("MZ"+keys), archive...))
	o := looking(dir)
	o.Issued, o.Foreign = o.Foreign, nil
	want(t, scanned(t, o, "own.zip", "issued.zip"), []string{
		"issued.zip: : " + keyform.KeyPair + ", secret access key", "issued.zip: a: secret access key",
		"own.zip: : access key id, secret access key", "own.zip: a: secret access key",
	}, nil)
}

// TestForeignPlacesWithMore: the same is true of keys that are not the job's, in strict files.
func TestForeignPlacesWithMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	with := func(archive []byte) []byte { return append([]byte("MZ"+keys), archive...) }
	write(t, dir, "a.zip", with(zipOf("a", []byte(secret(1)))))
	write(t, dir, "strict.zip", with(storedOf("a", []byte(keys))))
	write(t, dir, "strict2.zip", with(storedOf("strict", []byte(keys))))
	result := scanned(t, looking(dir), "a.zip", "strict.zip", "strict2.zip")
	want(t, result, []string{"a.zip: a: secret access key", "strict.zip: : " + keyform.KeyPair, "strict2.zip: strict: " + keyform.KeyPair}, nil)
	if len(result.Foreign) != 2 || result.Foreign[0].Name+result.Foreign[0].Inside != "a.zip" {
		t.Errorf("foreign keys in %+v", result.Foreign)
	}
	o := looking(dir)
	o.Strict = nil
	if got := foreign(t, o, "strict.zip"); len(got) != 1 || got[0][0] == '!' {
		t.Errorf("without strict files, found %q", got)
	}
}

// zeros reads as zeros.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestLargestSpool: of an archive inside another, no more than 1 GiB is written to a file.
func TestLargestSpool(t *testing.T) {
	t.Parallel()
	null := must(unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0))
	defer func() { _ = unix.Close(null) }()
	buffer := make([]byte, 4<<20)
	for more, reason := range []error{nil, scan.ErrSpool} {
		const most = 1 << 30
		_, err := scan.CopySpool(null, buffer, io.LimitReader(zeros{}, int64(most-len(buffer)+more)))
		if !errors.Is(err, reason) {
			t.Errorf("%d bytes more than the limit: %v, want %v", more, err, reason)
		}
	}
}
