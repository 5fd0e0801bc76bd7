package reading

import (
	"encoding/hex"
	"errors"
	"hash/fnv"
	"io"
	"io/fs"
	"iter"
	"path/filepath"

	"rolecall/internal/adminfile"
	"rolecall/internal/audit"
)

// Place is where a reader of a log has stopped, so that another process can go on there. A
// file is known by its first line, which says when it was written: so a place stays one when
// the file is renamed and compressed. The zero Place is the beginning of the log itself.
type Place struct {
	File string `json:"file,omitempty"` // a hash of its first line
	// Offset is behind the last line that was read, in bytes of what is not compressed.
	Offset int64 `json:"offset,omitempty"`
}

// ErrLost says that a log has no such place any more: the file was removed or emptied.
var ErrLost = errors.New("the log has no such place any more")

// maxAgain bounds what is read again of a compressed file, to find a place in it.
const maxAgain = 512 << 20

// OpenAt opens the log at path as Open does, for From. Most of the time the place is in the
// log itself: then no other file is opened.
func OpenAt(path string, place Place) (*Log, error) {
	if err := adminfile.Check(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := openFile(path)
	switch {
	case err == nil && (place.File == "" || place.File == f.id()):
		return &Log{files: []*file{f}}, nil
	case err == nil:
		_ = f.Close() // only read
	case place.File == "" && errors.Is(err, fs.ErrNotExist):
		return &Log{}, nil
	}
	return Open(path)
}

// End returns the place behind all whole lines of the log at path.
func End(path string) (Place, error) {
	l, err := OpenAt(path, Place{})
	if err != nil || len(l.files) == 0 {
		return Place{}, err
	}
	defer l.Close()
	f := l.files[0]
	for line, err := range f.reversed() {
		if err != nil {
			return Place{}, err
		}
		return Place{File: f.id(), Offset: f.size - int64(len(line))}, nil
	}
	return Place{}, nil
}

// From returns the events behind a place, the oldest first. Before it returns one, it moves the
// place behind its line. It stops when it has read so many bytes, and before a last line that
// is not whole. If the place is lost, Err has ErrLost, and there are no events.
func (l *Log) From(place *Place, most int64) iter.Seq[audit.Event] {
	return func(yield func(audit.Event) bool) {
		l.unread = Unread{}
		i := l.index(*place)
		if i < 0 {
			l.err = errors.Join(l.err, ErrLost)
			return
		}
		left := most
		for ; i < len(l.files) && left > 0; i++ {
			if !l.resume(l.files[i], place, &left, yield) {
				return
			}
		}
	}
}

// index returns which file a place is in, or -1. The zero Place is in the log itself, and in an
// empty log behind all files.
func (l *Log) index(place Place) int {
	for i, f := range l.files {
		if place.File == f.id() && place.File != "" {
			return i
		}
	}
	if place.File == "" {
		return max(len(l.files)-1, 0)
	}
	return -1
}

// resume yields the events of one file that are behind the place, or all if the place is in a
// file before. It reports whether the file was read to its end, and more are wanted.
func (l *Log) resume(f *file, place *Place, left *int64, yield func(audit.Event) bool) bool {
	if f.id() == "" {
		return true // nothing is written yet
	}
	if place.File != f.id() {
		*place = Place{File: f.id()}
	}
	r, err := f.skip(place.Offset)
	if err != nil {
		l.fail(f, err)
		return !errors.Is(err, ErrLost)
	}
	defer r.Close()
	s, begin := newScanner(r), place.Offset
	for s.next() && s.done {
		*left -= begin + s.end - place.Offset
		place.Offset = begin + s.end
		if e, ok := l.event(s.line, Filter{}); ok && !yield(e) || *left <= 0 {
			return false
		}
	}
	l.fail(f, s.err)
	return true
}

// skip returns the text of a file behind an offset.
func (f *file) skip(offset int64) (io.ReadCloser, error) {
	if f.form == plain && offset <= f.size {
		return io.NopCloser(io.NewSectionReader(f, offset, f.size-offset)), nil
	}
	if f.form == plain || offset > maxAgain {
		return nil, ErrLost
	}
	r, err := f.stream()
	if err != nil {
		return nil, err
	}
	_, err = io.CopyN(io.Discard, r, offset)
	return r, err
}

// id returns the hash of the first line, or nothing if there is no whole line.
func (f *file) id() string {
	if len(f.first) == 0 {
		return ""
	}
	hash := fnv.New128a()
	_, _ = hash.Write(f.first) // it takes all
	return hex.EncodeToString(hash.Sum(nil))
}
