package mask

import (
	"io"
	"io/fs"
	"slices"
	"sync"
)

// pieceLen bounds what a Writer handles at once, in bytes, and so its memory.
const pieceLen = 64 << 10

// Writer masks the secrets in what is written to it, and writes the rest on.
//
// A byte is covered if it lies in an occurrence of a form of a secret, whatever
// other occurrences overlap that one. Each maximal run of covered bytes comes
// out as one Masked, so that occurrences that overlap or touch share one; all
// other bytes come out as they are and in order.
//
// The output does not depend on how the input is split over writes. What has
// been written comes out at once, but for the longest suffix that is a proper
// prefix of a form: of that, the covered bytes at its beginning are masked at
// once, the rest is held until more bytes or Close decide about it. So a Writer
// holds less than the longest form, and its memory is bounded.
//
// A Writer must not be used by two goroutines at the same time. The Masks that it
// belongs to, if any, may change its needles meanwhile.
type Writer struct {
	mu      sync.Mutex // guards what follows
	to      io.Writer
	needles *Needles // nil: no bytes are covered
	at      node     // what the end of the input may be the beginning of
	chain   int      // of at, or of an earlier one
	buffer  []byte   // ends with the bytes that are held
	held    int      // index in buffer of the first byte that is held
	base    int64    // offset in the input of the first byte that is held
	covered []span   // at or after base, apart from each other, in order
	masking bool     // the byte before base was covered
	out     []byte   // used to put together what is written
	err     error
}

// NewWriter returns a Writer that masks what needles find, which is nothing if they
// are nil, and writes to to: at most once per Write of up to 64 KiB. Close it to get
// what it holds.
func NewWriter(to io.Writer, needles *Needles) *Writer {
	return &Writer{to: to, needles: needles}
}

// Write masks p. If it cannot write on, it returns the number of bytes of p
// before the 64 KiB that it failed on, and the error, then and ever after.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	done := 0
	for done < len(p) && w.err == nil {
		piece := p[done:min(done+pieceLen, len(p))]
		if w.piece(piece); w.err == nil {
			done += len(piece)
		}
	}
	return done, w.err
}

// Close writes what is held: the prefix of a form, which no more bytes follow,
// is no secret. It does not close the underlying writer. A Write after it fails
// with fs.ErrClosed, another Close does nothing.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == fs.ErrClosed { //nolint:errorlint // an error of the underlying writer may wrap it
		return nil
	}
	data := w.buffer[w.held:]
	w.emit(data, w.base+int64(len(data)))
	if w.err != nil {
		return w.err
	}
	w.buffer, w.held, w.err = nil, 0, fs.ErrClosed
	return nil
}

// AvailableBuffer returns an empty buffer with room for up to 64 KiB. It is to
// be filled and passed to the very next Write, which then need not copy it to
// where the held bytes are; io.Writer allows no other way to save that.
//
// The buffer is the caller's until then: needles that come meanwhile neither read
// nor move it.
func (w *Writer) AvailableBuffer() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buffer == nil {
		w.buffer = make([]byte, 0, pieceLen)
	}
	w.buffer, w.held = w.buffer[:copy(w.buffer, w.buffer[w.held:])], 0
	held := len(w.buffer)
	// What is written on is at most what a pipe takes at once, while no more
	// than half of that is held.
	size := max(pieceLen, held+pieceLen/2)
	w.buffer = slices.Grow(w.buffer, size-held)
	return w.buffer[held:held:size]
}

// use replaces the needles by others, which must find all that the old ones do. It
// waits for a Write or Close that is going on.
//
// Of the text so far, the new needles see what the old ones took for the beginning
// of a form: the held bytes, and before them covered bytes that came out masked.
// Without the latter, the rest of an old form that has begun there would be shown.
func (w *Writer) use(needles *Needles) {
	w.mu.Lock()
	defer w.mu.Unlock()
	begun, base := w.needles.prefix(w.at), w.base
	w.needles, w.at, w.chain, w.covered = needles, root, 0, w.covered[:0]
	w.base -= int64(len(begun) - (len(w.buffer) - w.held))
	w.scan(begun, 0)
	w.base = base
	w.forgetGone()
}

// piece masks p, writes what is decided and holds the rest.
func (w *Writer) piece(p []byte) {
	if w.needles == nil {
		w.base += int64(len(p))
		w.write(p)
		return
	}
	held := len(w.buffer) - w.held
	data, joined := w.join(p)
	w.scan(data, held)
	w.chain = w.needles.chainOf(w.at, w.chain)
	begun := w.needles.chains[w.chain].depth(w.at)
	decided := w.emit(data, w.base+int64(len(data)-begun))
	switch {
	case decided == len(data):
		w.buffer, w.held = w.buffer[:0], 0
	case joined:
		w.held += decided
	default:
		w.buffer, w.held = append(w.buffer[:0], data[decided:]...), 0
	}
}

// join returns what is held with p behind it, and whether that is in the buffer.
func (w *Writer) join(p []byte) ([]byte, bool) {
	used := len(w.buffer)
	if used < cap(w.buffer) && &p[0] == &w.buffer[:used+1][used] {
		w.buffer = w.buffer[:used+len(p)] // p is AvailableBuffer's
		return w.buffer[w.held:], true
	}
	held := w.buffer[w.held:]
	if len(held) == 0 {
		return p, false
	}
	// Moving what is held only when as much has gone out before it keeps the
	// price of a byte constant.
	if w.held >= len(held) {
		w.buffer, w.held = w.buffer[:copy(w.buffer, held)], 0
	}
	w.buffer = append(w.buffer, p...)
	return w.buffer[w.held:], true
}
