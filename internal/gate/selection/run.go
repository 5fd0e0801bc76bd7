package selection

import (
	"bufio"
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

const (
	writeLen = 64 << 10 // bytes that are written at once
	readLen  = 4 << 10  // bytes of a run that are read at once
)

// run is a sorted run of records. Its begin is in a file and its end in memory; one of the
// two may be empty.
type run struct {
	file     *os.File
	at, size int64 // of the begin
	rest     []byte
}

// runWriter writes a run.
type runWriter struct {
	file     *os.File // nil: the run stays in memory
	at, size int64
	buffer   []byte
	failed   bool // the file cannot be written
}

// add adds the next record.
func (w *runWriter) add(path []byte, part uint64, mode fs.FileMode) {
	w.buffer = binary.AppendUvarint(w.buffer, uint64(len(path)))
	w.buffer = append(w.buffer, path...)
	w.buffer = binary.AppendUvarint(w.buffer, part)
	w.buffer = binary.AppendUvarint(w.buffer, uint64(mode))
	if len(w.buffer) >= writeLen {
		w.flush()
	}
}

// flush writes what is in memory, if possible.
func (w *runWriter) flush() {
	if w.file == nil || w.failed {
		return
	}
	if _, err := w.file.WriteAt(w.buffer, w.at+w.size); err != nil {
		w.failed = true
		return
	}
	w.size, w.buffer = w.size+int64(len(w.buffer)), w.buffer[:0]
}

// end returns the run.
func (w *runWriter) end() run {
	if w.flush(); len(w.buffer) == 0 {
		w.buffer = nil
	}
	return run{w.file, w.at, w.size, w.buffer}
}

// cursor reads a run. It is at a record.
type cursor struct {
	*bufio.Reader
	record
}

// read returns a cursor before the first record.
func (r run) read() *cursor {
	var from io.Reader = bytes.NewReader(r.rest)
	if r.size > 0 {
		from = io.MultiReader(io.NewSectionReader(r.file, r.at, r.size), from)
	}
	return &cursor{Reader: bufio.NewReaderSize(from, readLen)}
}

// next goes to the next record. At the end it fails with io.EOF.
func (c *cursor) next() error {
	length, err := binary.ReadUvarint(c)
	if err != nil {
		return err
	}
	path := make([]byte, length)
	_, errPath := io.ReadFull(c, path)
	part, errPart := binary.ReadUvarint(c)
	mode, errMode := binary.ReadUvarint(c)
	if errors.Join(errPath, errPart, errMode) != nil {
		return io.ErrUnexpectedEOF
	}
	c.record = record{string(path), int(part), fs.FileMode(mode)} //nolint:gosec // as add has written it
	return nil
}

// cursors are a heap: the first has the least record.
type cursors []*cursor

func (c cursors) Len() int      { return len(c) }
func (c cursors) Swap(i, j int) { c[i], c[j] = c[j], c[i] }
func (c *cursors) Push(x any)   { *c = append(*c, x.(*cursor)) }
func (c *cursors) Pop() any     { last := len(*c) - 1; x := (*c)[last]; *c = (*c)[:last]; return x }
func (c cursors) Less(i, j int) bool {
	return c[i].path < c[j].path || c[i].path == c[j].path && c[i].part < c[j].part
}

// merge calls yield for the records of all runs, sorted, each once, until it returns false.
func merge(runs []run, yield func(record) bool) error {
	var all cursors
	for _, r := range runs {
		all = append(all, r.read())
	}
	for i := len(all) - 1; i >= 0; i-- {
		if err := all[i].next(); err != nil {
			return lost(err)
		}
	}
	heap.Init(&all)
	last := record{part: -1}
	for len(all) > 0 {
		if now := all[0].record; now.path != last.path || now.part != last.part {
			if last = now; !yield(now) {
				return nil
			}
		}
		switch err := all[0].next(); {
		case err == nil:
			heap.Fix(&all, 0)
		case errors.Is(err, io.EOF):
			heap.Pop(&all)
		default:
			return lost(err)
		}
	}
	return nil
}

// lost returns the error that a run could not be read.
func lost(err error) error { return fmt.Errorf("the list of the files to search: %w", err) }

// tempFile returns a new file without a name in dir, or nil if there can be none.
func tempFile(dir string) *os.File {
	if dir == "" {
		return nil
	}
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil
	}
	return os.NewFile(uintptr(fd), dir)
}
