package scan

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/flate"
)

// This file does not use archive/zip for two reasons. That package keeps the whole
// central directory in memory, and an archive can make it as large as it likes. And it
// refuses all entries if the directory is damaged.

// The lengths of a zip's parts, with their sections in
// https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.10.TXT.
const (
	localLen     = 30 // 4.3.7: local file header
	entryLen     = 46 // 4.3.12: central directory header
	endLen       = 22 // 4.3.16: end of central directory record
	end64Len     = 56 // 4.3.14: Zip64 end of central directory record
	locatorLen   = 20 // 4.3.15: locator of that record
	maxComment   = 1<<16 - 1
	max16, max32 = 1<<16 - 1, 1<<32 - 1

	methodStored, methodDeflated, methodZstandard = 0, 8, 93 // 4.4.5
)

func isLocal(b []byte) bool     { return bytes.HasPrefix(b, []byte("PK\x03\x04")) }
func isEntry(b []byte) bool     { return bytes.HasPrefix(b, []byte("PK\x01\x02")) }
func isEnd(b []byte) bool       { return bytes.HasPrefix(b, []byte("PK\x05\x06")) }
func isSignature(b []byte) bool { return bytes.HasPrefix(b, []byte("PK\x05\x05")) } // 4.3.13
func isEnd64(b []byte) bool     { return bytes.HasPrefix(b, []byte("PK\x06\x06")) }
func isLocator(b []byte) bool   { return bytes.HasPrefix(b, []byte("PK\x06\x07")) }

// formatByEnd returns zipped if content that does not begin as an archive ends as a zip,
// else plain. The format begins is plain or program.
func (w *worker) formatByEnd(random *io.SectionReader, begins format) format {
	if random == nil || random.Size() < endLen {
		return plain
	}
	if begins == program {
		if _, _, ok := w.zipEnd(random); ok {
			return zipped
		}
		return plain
	}
	var end [endLen]byte
	if _, err := random.ReadAt(end[:], random.Size()-endLen); err == nil && isEnd(end[:]) {
		return zipped
	}
	return plain
}

// zipEnd returns the last end of central directory record, and its offset. See 4.3.16.
func (w *worker) zipEnd(random *io.SectionReader) (end [endLen]byte, at int64, ok bool) {
	tail := w.buffer[:min(random.Size(), endLen+maxComment)] // the buffer is free: the file's own bytes have been searched
	from := random.Size() - int64(len(tail))
	if n, _ := random.ReadAt(tail, from); n < len(tail) {
		return end, 0, false
	}
	for before := len(tail); before > 0; {
		i := bytes.LastIndex(tail[:before], []byte("PK\x05\x06"))
		if i < 0 {
			break
		}
		if rest := tail[i:]; len(rest) >= endLen && endLen+int(binary.LittleEndian.Uint16(rest[20:])) <= len(rest) {
			return [endLen]byte(rest), from + int64(i), true
		}
		before = i
	}
	return end, 0, false
}

// directory is the range of a central directory, and the base of the offsets in it.
type directory struct{ from, to, base int64 }

// directoryOf returns the central directory of a zip.
func (w *worker) directoryOf(random *io.SectionReader) (directory, error) {
	end, at, ok := w.zipEnd(random)
	if !ok {
		return directory{}, ErrDamaged
	}
	size, offset := int64(binary.LittleEndian.Uint32(end[12:])), int64(binary.LittleEndian.Uint32(end[16:]))
	if binary.LittleEndian.Uint16(end[10:]) == max16 || size == max32 || offset == max32 {
		var locator [locatorLen]byte
		var end64 [end64Len]byte
		if _, err := random.ReadAt(locator[:], at-locatorLen); err == nil && isLocator(locator[:]) {
			at = int64(binary.LittleEndian.Uint64(locator[8:])) //nolint:gosec // ReadAt refuses a negative offset
			if _, err := random.ReadAt(end64[:], at); err != nil || !isEnd64(end64[:]) {
				return directory{}, ErrDamaged
			}
			size, offset = int64(binary.LittleEndian.Uint64(end64[40:])), int64(binary.LittleEndian.Uint64(end64[48:])) //nolint:gosec // checked next
		}
	}
	if size < 0 || offset < 0 || size > at {
		return directory{}, ErrDamaged
	}
	// If other bytes precede the zip, its offsets usually count from the zip's beginning.
	// In some zips they count from the file's beginning.
	d := directory{at - size, at, at - size - offset}
	var signature [4]byte
	if _, err := random.ReadAt(signature[:], d.from); size > 0 && (err != nil || !isEntry(signature[:]) || d.base < 0) {
		if _, err := random.ReadAt(signature[:], offset); err != nil || !isEntry(signature[:]) {
			return directory{}, ErrDamaged
		}
		d = directory{offset, at, 0}
	}
	return d, nil
}

// unzip searches the entries of a zip. The zip's own bytes may have been searched.
func (w *worker) unzip(random *io.SectionReader, searched bool) error {
	d, err := w.directoryOf(random)
	if err != nil {
		return err
	}
	inner := w.pushLayer()
	defer w.popLayer()
	inner.reader.Reset(metered{io.NewSectionReader(random, d.from, d.to-d.from), w.meter})
	// Stored entries were searched as a part of the zip's own bytes. If those hold a secret,
	// search each again, to name the one with it. A view also needs the ends of each entry.
	searched = searched && len(w.places) == 0 && w.view == nil
	for w.meter.stopped() == nil {
		e, err := nextEntry(inner.reader)
		if err != nil || e == nil {
			return err
		}
		w.path = append(w.path, e.name)
		w.searchName(e.name)
		if err := w.searchEntry(random, d.base, e, searched); err != nil {
			w.addFailure(err)
		}
		w.path = w.path[:len(w.path)-1]
	}
	return nil
}

// entry is what a central directory says about a file.
type entry struct {
	name      string
	encrypted bool
	method    uint16
	size      int64 // compressed
	offset    int64 // of the local header
}

// nextEntry returns the next entry, or nil if there is none.
func nextEntry(from *bufio.Reader) (*entry, error) {
	var header [entryLen]byte
	if n, err := io.ReadFull(from, header[:]); n < entryLen || !isEntry(header[:]) {
		if n == 0 || isSignature(header[:]) || isEnd64(header[:]) {
			return nil, nil //nolint:nilnil // The entries end here.
		}
		return nil, cmp.Or(err, ErrDamaged)
	}
	field := func(at int) int { return int(binary.LittleEndian.Uint16(header[at:])) }
	text := make([]byte, field(28)+field(30)+field(32))
	if _, err := io.ReadFull(from, text); err != nil {
		return nil, err
	}
	e := &entry{
		name:      string(text[:field(28)]),
		encrypted: field(8)&1 != 0,
		method:    binary.LittleEndian.Uint16(header[10:]),
		size:      int64(binary.LittleEndian.Uint32(header[20:])),
		offset:    int64(binary.LittleEndian.Uint32(header[42:])),
	}
	e.widen(text[field(28):field(28)+field(30)], binary.LittleEndian.Uint32(header[24:]) == max32)
	return e, nil
}

// widen reads the values that do not fit into 32 bits from the extra fields (4.5.3). Only
// such values are there: first the uncompressed size, then compressed size and offset.
func (e *entry) widen(extra []byte, unpacked bool) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		if extra = extra[4:]; n > len(extra) {
			return
		}
		if field := extra[:n]; id == 1 {
			take := func(wanted bool, to *int64) {
				if wanted && len(field) >= 8 {
					*to = int64(binary.LittleEndian.Uint64(field)) //nolint:gosec // ReadAt refuses a negative offset
					field = field[8:]
				}
			}
			var ignored int64
			take(unpacked, &ignored)
			take(e.size == max32, &e.size)
			take(e.offset == max32, &e.offset)
		}
		extra = extra[n:]
	}
}

// searchEntry searches one entry of a zip.
func (w *worker) searchEntry(zip *io.SectionReader, base int64, e *entry, searched bool) error {
	if e.size == 0 && !e.encrypted {
		return nil // a folder, or an empty file
	}
	if e.encrypted {
		return ErrEncrypted
	}
	var local [localLen]byte
	if _, err := zip.ReadAt(local[:], base+e.offset); err != nil || !isLocal(local[:]) {
		return ErrDamaged
	}
	from := base + e.offset + localLen + int64(binary.LittleEndian.Uint16(local[26:])) + int64(binary.LittleEndian.Uint16(local[28:]))
	if e.size < 0 || e.size > zip.Size()-from {
		return ErrDamaged
	}
	w.meter.spend(localLen)
	data := io.NewSectionReader(zip, from, e.size)
	if e.method == methodStored {
		w.search(input{stream: data, random: data, searched: searched})
		return nil
	}
	l := w.pushLayer()
	defer w.popLayer()
	l.reader.Reset(metered{data, w.meter})
	switch e.method {
	case methodDeflated:
		return w.inflate(l)
	case methodZstandard:
		return w.unzstd(l.reader, false)
	}
	return ErrMethod
}

// inflate searches content that deflate has compressed.
func (w *worker) inflate(l *layer) error {
	if l.inflater == nil {
		l.inflater = flate.NewReader(l.reader)
	} else if err := l.inflater.(flate.Resetter).Reset(l.reader, nil); err != nil {
		return err
	}
	return w.searchDecoded(l.inflater, false)
}
