// Package reading reads an audit log, with the files that rotation has made of it. Other
// processes may write to the log and rotate it meanwhile: all files are opened first.
//
// A log may have gigabytes. The memory that a reader needs does not grow with it, and lines
// that are not wanted are not parsed.
package reading

import (
	"errors"
	"io"
	"iter"
	"time"

	"rolecall/internal/audit"
)

// Log is an open audit log. It is not safe for concurrent use.
type Log struct {
	files  []*file // the oldest first; the last one may still be written to
	unread Unread
	err    error
}

// Unread says how many lines could not be read. Lines that a Filter passes over count only
// if that is seen at their ends, since they are not parsed.
type Unread struct {
	Cut     int `json:"cut"`     // begun and not ended, as a power cut leaves them
	Foreign int `json:"foreign"` // no line of an audit log
	Newer   int `json:"newer"`   // of an event that only a newer version knows
}

// Lines returns how many lines could not be read.
func (u Unread) Lines() int { return u.Cut + u.Foreign + u.Newer }

// Filter says which lines are wanted. The zero Filter wants all.
type Filter struct {
	// Any has texts of which a line must hold one: see Value and Field. None: each line is
	// parsed, which takes the most time. A line may hold the text elsewhere than expected, so
	// look at the event too.
	Any [][]byte
	// Since and Until bound when a line was written; zero: any time. Files that were last
	// written long before Since are not read.
	Since, Until time.Time
}

// Open opens the log at path, an absolute path, and the files beside it that rotation has
// made of it. A log that nobody has written to yet is empty. Open fails if anybody but root
// and the process's user can change the folder, by the rules of package adminfile, or if none of
// the files can be opened. A file that others can change is not read; Err tells of it in the end.
func Open(path string) (*Log, error) {
	files, err := openAll(path)
	if files == nil && err != nil {
		return nil, err
	}
	return &Log{files: files, err: err}, nil
}

// Close closes the files.
func (l *Log) Close() {
	for _, f := range l.files {
		_ = f.Close() // only read
	}
}

// Err returns why files, or what is behind a place in one, were not read: broken archives,
// files that others can change, forms of compression that are not known. What could be read
// of the log was returned nevertheless.
func (l *Log) Err() error { return l.err }

// Unread returns how many lines could not be read by the last call of Oldest or Newest.
func (l *Log) Unread() Unread { return l.unread }

// Oldest returns the events of the log, the oldest first.
func (l *Log) Oldest(filter Filter) iter.Seq[audit.Event] {
	return func(yield func(audit.Event) bool) {
		l.unread = Unread{}
		for _, f := range l.files {
			if f.mayHave(filter) && !l.forward(f, filter, yield) {
				return
			}
		}
	}
}

// Newest returns the events of the log, the newest first. A file that is not compressed is
// read from its end, so the newest events are found at once in a log of any size.
func (l *Log) Newest(filter Filter) iter.Seq[audit.Event] {
	return func(yield func(audit.Event) bool) {
		l.unread = Unread{}
		for i := len(l.files) - 1; i >= 0; i-- {
			if f := l.files[i]; f.mayHave(filter) && !l.backward(f, filter, yield) {
				return
			}
		}
	}
}

// forward yields the events of a file. It reports whether more are wanted.
func (l *Log) forward(f *file, filter Filter, yield func(audit.Event) bool) bool {
	r, err := f.stream()
	if err != nil {
		l.fail(f, err)
		return true
	}
	defer r.Close()
	s := newScanner(r)
	for s.next() {
		if e, ok := l.event(s.line, filter); ok && !yield(e) {
			return false
		}
	}
	l.fail(f, s.err)
	return true
}

// backward is forward, from the end of the file on.
func (l *Log) backward(f *file, filter Filter, yield func(audit.Event) bool) bool {
	lines := f.reversed()
	if f.form != plain {
		lines = l.replayed(f, filter)
	}
	for line, err := range lines {
		if err != nil {
			l.fail(f, err)
			return true
		}
		if filter.passed(line) {
			return true
		}
		if e, ok := l.event(line, filter); ok && !yield(e) {
			return false
		}
	}
	return true
}

// fail remembers why a file was not read to its end.
func (l *Log) fail(f *file, err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = errors.Join(l.err, f.problem(err))
	}
}
