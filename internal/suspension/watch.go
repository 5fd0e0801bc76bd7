package suspension

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// rereadTime is how long a file is not read again that seems to be the same.
const rereadTime = time.Second

// Watch looks at a file very often: it reads the file only when it has changed, and once in a
// while. Several goroutines can use it.
type Watch struct {
	file File

	mu    sync.Mutex // guards what follows
	seen  stamp
	read  time.Time
	list  List
	err   error
	state string
}

// stamp changes with a file: also if a file takes its place, or the place of what a link leads to.
type stamp struct {
	device, inode uint64
	size          int64
	changed       unix.Timespec
	err           error
}

// NewWatch returns a watch of a file.
func NewWatch(f File) *Watch { return &Watch{file: f} }

// State returns a text that is another one whenever somebody is suspended, or is so no more. It is
// empty if nobody is.
func (w *Watch) State() string {
	seen, now := stampOf(w.file.Path), time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if age := now.Sub(w.read); seen != w.seen || age < 0 || age >= rereadTime {
		w.list, w.err = w.file.Read()
		w.seen, w.read = seen, now
	}
	if state := w.stateAt(now); state != w.state {
		w.state = state // the old text is kept if it is the same: many keep it
	}
	return w.state
}

// stateAt returns the state at a time. The caller holds the lock.
func (w *Watch) stateAt(now time.Time) string {
	if w.err != nil {
		return w.err.Error()
	}
	state := ""
	for _, s := range w.list {
		if s.Holds(now) {
			state += fmt.Sprintf("%q %d\n", s.Tenant, s.Since.UnixNano())
		}
	}
	return state
}

// stampOf returns the stamp of the file at a path.
func stampOf(path string) stamp {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return stamp{err: err}
	}
	return stamp{device: s.Dev, inode: s.Ino, size: s.Size, changed: s.Ctim}
}
