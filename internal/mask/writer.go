package mask

import (
	"io"
	"io/fs"
	"slices"
	"sync"
)

const (
	pieceLen = 64 << 10 // bounds how many bytes a Writer handles at once, and so its memory
	// lineLen is the length of a cache line in bytes. Reading a pipe can take four times as
	// long if the buffer begins just behind the beginning of a line.
	lineLen = 64
)

// Writer masks secrets in the bytes that are written to it, and passes the result on.
//
// A byte is covered if it is in an occurrence of a form of a secret, even if other
// occurrences overlap this one. The output has one Masked for each maximal run of covered
// bytes, so occurrences that overlap or touch share one. If escape sequences are in it, the
// sequence that ends all colours follows. All other bytes are passed on unchanged and in
// order.
//
// If a line break is behind one of the first two characters of an occurrence, it covers
// only what follows: so a line that ends with the first letter of a secret is not held
// until the next line comes.
//
// The output does not depend on how the input is split over writes. Bytes are passed on at
// once, except for the longest suffix of the input that may be the beginning of an
// occurrence. Covered bytes at its beginning are masked at once; the rest is held until more
// bytes or Close decide about it. So a Writer holds less than the longest form with all that
// can be between its characters, and its memory is bounded.
//
// Only one goroutine at a time may use a Writer. The Masks of the Writer may change its
// needles meanwhile.
type Writer struct {
	mu      sync.Mutex // guards what follows
	to      io.Writer
	reader  reader // without needles: no bytes are covered
	buffer  []byte // its last bytes are those that are held
	held    int    // index in buffer of the first byte that is held
	base    int64  // offset in the input of the first byte that is held
	covered []span // runs of covered bytes from base on, in order, with gaps between
	masking bool   // the byte before base was covered
	reset   bool   // and resetColours is behind the Masked for it
	marks   int64  // how many Masked were written
	out     []byte // reused to build the output
	err     error
}

// NewWriter returns a Writer to to that masks what needles find; with nil it masks
// nothing. For each Write of up to 64 KiB it writes to to at most once. Close writes the
// bytes that it holds.
func NewWriter(to io.Writer, needles *Needles) *Writer {
	return &Writer{to: to, reader: reader{needles: needles}}
}

// Write masks p. If the underlying writer fails, Write returns its error, and the number
// of bytes of p before the piece of 64 KiB that failed. All later calls return this error.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := 0
	for done < len(p) && w.err == nil {
		piece := p[done:min(done+pieceLen, len(p))]
		if w.writePiece(piece); w.err == nil {
			done += len(piece)
		}
	}
	return done, w.err
}

// Close writes the bytes that are held: a prefix of a form is not a secret if no more
// bytes follow. It does not close the underlying writer. A later Write fails with
// fs.ErrClosed; a second Close does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == fs.ErrClosed { //nolint:errorlint // an error of the underlying writer may wrap it
		return nil
	}
	data := w.buffer[w.held:]
	w.reader.close(w.base + int64(len(data)))
	w.coverHits()
	w.emit(data, w.base+int64(len(data)))
	if w.err != nil {
		return w.err
	}
	w.buffer, w.held, w.err = nil, 0, fs.ErrClosed
	return nil
}

// AvailableBuffer returns an empty buffer with room for 64 KiB, as much as a pipe holds. The
// caller fills it and passes it to the next Write. The buffer lies behind the held bytes, so
// Write need not copy it.
//
// Until then the buffer belongs to the caller: needles that are added meanwhile neither
// read nor move it.
func (w *Writer) AvailableBuffer() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	held := w.buffer[w.held:]
	start := (len(held) + lineLen - 1) &^ (lineLen - 1)
	w.buffer = slices.Grow(w.buffer[:0], start+pieceLen)[:start]
	w.held = start - len(held)
	copy(w.buffer[w.held:], held)
	return w.buffer[start : start : start+pieceLen]
}

// use replaces the needles. The new ones must find all forms of the old ones. It waits
// until a running Write or Close has returned.
//
// The new needles search the last part of the text again, in which the old ones saw the
// beginning of a form. This part consists of the held bytes and, before them, covered
// bytes that were masked already. Without the latter, the rest of an old form that began
// in them would not be masked.
func (w *Writer) use(needles *Needles) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.covered = w.covered[:0]
	w.reader.use(needles, w.base+int64(len(w.buffer)-w.held))
	w.coverHits()
}

// writePiece masks p, writes the decided bytes and holds the rest.
func (w *Writer) writePiece(p []byte) {
	if w.reader.needles == nil {
		w.base += int64(len(p))
		w.write(p)
		return
	}
	held := len(w.buffer) - w.held
	data, joined := w.join(p)
	w.scan(data, held)
	decided := w.emit(data, w.reader.begun(w.base+int64(len(data))))
	switch {
	case decided == len(data):
		w.buffer, w.held = w.buffer[:0], 0
	case joined:
		w.held += decided
	default:
		w.buffer, w.held = append(w.buffer[:0], data[decided:]...), 0
	}
}

// join returns the held bytes followed by p, and whether they are in the buffer.
func (w *Writer) join(p []byte) ([]byte, bool) {
	used := len(w.buffer)
	if used < cap(w.buffer) && &p[0] == &w.buffer[:used+1][used] {
		w.buffer = w.buffer[:used+len(p)] // p is a result of AvailableBuffer
		return w.buffer[w.held:], true
	}
	held := w.buffer[w.held:]
	if len(held) == 0 {
		return p, false
	}
	// The held bytes are moved only if at least as many before them are free: so the
	// cost for each byte is constant.
	if w.held >= len(held) {
		w.buffer, w.held = w.buffer[:copy(w.buffer, held)], 0
	}
	w.buffer = append(w.buffer, p...)
	return w.buffer[w.held:], true
}
