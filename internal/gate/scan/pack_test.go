package scan_test

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// must stops on an error of a writer to memory.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func zipWith(header *zip.FileHeader, content []byte) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	must(must(w.CreateHeader(header)).Write(content))
	must(0, w.Close())
	return out.Bytes()
}

func zipOf(name string, content []byte) []byte {
	return zipWith(&zip.FileHeader{Name: name, Method: zip.Deflate}, content)
}

func storedOf(name string, content []byte) []byte {
	return zipWith(&zip.FileHeader{Name: name, Method: zip.Store}, content)
}

func tarOf(name string, content []byte) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	must(0, w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(content))}))
	must(w.Write(content))
	must(0, w.Close())
	return out.Bytes()
}

func gzipOf(_ string, content []byte) []byte {
	var out bytes.Buffer
	w := must(gzip.NewWriterLevel(&out, gzip.BestSpeed))
	must(w.Write(content))
	must(0, w.Close())
	return out.Bytes()
}

func zstdOf(_ string, content []byte) []byte {
	return encoder().EncodeAll(content, nil)
}

// encoder is shared: it takes long to make.
var encoder = sync.OnceValue(func() *zstd.Encoder { return must(zstd.NewWriter(nil)) })

// rawZip returns a zip with one entry, whose compressed bytes are packed.
func rawZip(name string, method, flags uint16, packed []byte) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	header := &zip.FileHeader{Name: name, Method: method, Flags: flags, CompressedSize64: uint64(len(packed)), UncompressedSize64: uint64(len(packed))}
	must(must(w.CreateRaw(header)).Write(packed))
	must(0, w.Close())
	return out.Bytes()
}

// packer makes an archive of one file.
type packer struct {
	name  string
	pack  func(name string, content []byte) []byte
	names bool // its members have names
}

func packers() []packer {
	compose := func(outer, inner func(string, []byte) []byte) func(string, []byte) []byte {
		return func(name string, content []byte) []byte { return outer("", inner(name, content)) }
	}
	return []packer{
		{"zip", zipOf, true},
		{"stored.zip", storedOf, true},
		{"zstd.zip", func(name string, content []byte) []byte { return rawZip(name, 93, 0, zstdOf("", content)) }, true},
		{"exe", func(name string, content []byte) []byte {
			return append([]byte("\x7fELF any bytes"), storedOf(name, content)...)
		}, true},
		{"tar", tarOf, true},
		{"gz", gzipOf, false},
		{"zst", zstdOf, false},
		{"tar.gz", compose(gzipOf, tarOf), true},
		{"tar.zst", compose(zstdOf, tarOf), true},
		{"members.gz", func(_ string, content []byte) []byte {
			return append(append(gzipOf("", content[:len(content)/2]), gzipOf("", content[len(content)/2:])...), "trailing"...)
		}, false},
		{"frames.zst", func(_ string, content []byte) []byte {
			skip := []byte("\x50\x2a\x4d\x18\x03\x00\x00\x00abc")
			return append(append(skip, zstdOf("", content[:len(content)/2])...), zstdOf("", content[len(content)/2:])...)
		}, false},
	}
}

// zip64Of moves the numbers at the end of a zip with one entry into its Zip64 records.
func zip64Of(small []byte) []byte {
	end := len(small) - 22
	size, offset := binary.LittleEndian.Uint32(small[end+12:]), binary.LittleEndian.Uint32(small[end+16:])
	entry := bytes.Clone(small[offset:end])
	extra := binary.LittleEndian.AppendUint16(nil, 1)
	extra = binary.LittleEndian.AppendUint16(extra, 24)
	extra = binary.LittleEndian.AppendUint64(extra, uint64(binary.LittleEndian.Uint32(entry[24:])))
	extra = binary.LittleEndian.AppendUint64(extra, uint64(binary.LittleEndian.Uint32(entry[20:])))
	extra = binary.LittleEndian.AppendUint64(extra, 0)
	for _, at := range []int{20, 24, 42} {
		binary.LittleEndian.PutUint32(entry[at:], 1<<32-1)
	}
	binary.LittleEndian.PutUint16(entry[30:], uint16(len(extra)))
	out := append(bytes.Clone(small[:offset]), entry...)
	out = append(out, extra...)
	at := len(out)
	out = append(out, "PK\x06\x06"...)
	out = append(out, make([]byte, 36)...)
	out = binary.LittleEndian.AppendUint64(out, uint64(size)+uint64(len(extra)))
	out = binary.LittleEndian.AppendUint64(out, uint64(offset))
	out = append(append(out, "PK\x06\x07"...), 0, 0, 0, 0)
	out = binary.LittleEndian.AppendUint64(out, uint64(at))
	out = append(out, 1, 0, 0, 0)
	tail := bytes.Clone(small[end:])
	binary.LittleEndian.PutUint16(tail[10:], 1<<16-1)
	binary.LittleEndian.PutUint32(tail[12:], 1<<32-1)
	binary.LittleEndian.PutUint32(tail[16:], 1<<32-1)
	return append(out, tail...)
}

// noise returns bytes that cannot be compressed. They are the same in every run.
func noise(n int) []byte {
	random := rand.New(rand.NewPCG(uint64(n), 6))
	bytes := make([]byte, n)
	for i := range bytes {
		bytes[i] = byte(random.Uint32())
	}
	return bytes
}

// largeText can be compressed by half.
func largeText(n int) []byte {
	text := make([]byte, 0, n+64<<10)
	for i := 0; len(text) < n; i++ {
		text = fmt.Appendf(text, "%x", noise(1000+i%1000)) //nolint:makezero // it is empty
	}
	return text[:n]
}

// windowed compresses content with zstd and a window of this size.
func windowed(window int, content []byte) []byte {
	var out bytes.Buffer
	w := must(zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window)))
	must(bufio.NewReader(bytes.NewReader(content)).WriteTo(w)) // in pieces, so that the frame does not know its size
	must(0, w.Close())
	return out.Bytes()
}
