package audit

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/fault"
)

// Mark is a place in an audit log: its file, and how long that was.
type Mark struct {
	Inode uint64 `json:"inode,omitempty"` // 0: there was no log
	Size  int64  `json:"size,omitempty"`
}

// Mark returns the place behind all lines that the log has now.
func (t Trail) Mark() Mark {
	var stat unix.Stat_t
	if t.Path == "" || unix.Lstat(t.Path, &stat) != nil {
		return Mark{}
	}
	return Mark{stat.Ino, stat.Size}
}

// Has reports whether the log has, behind the mark, a line of one of the kinds about this try
// at the job, which says that nothing is left. It finds the line also if the log was renamed
// since, but not if that file was then compressed.
func (t Trail) Has(m Mark, kinds ...Kind) bool {
	if t.Path == "" {
		return false
	}
	entries, _ := os.ReadDir(filepath.Dir(t.Path)) // a log that cannot be read has no such line
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), filepath.Base(t.Path)) || !entry.Type().IsRegular() {
			continue
		}
		if t.hasIn(filepath.Join(filepath.Dir(t.Path), entry.Name()), m, kinds) {
			return true
		}
	}
	return false
}

// hasIn is Has for one file: the log itself, or the one of the mark.
func (t Trail) hasIn(path string, m Mark, kinds []Kind) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) != nil || stat.Ino != m.Inode && path != t.Path {
		return false
	}
	from := int64(0)
	if stat.Ino == m.Inode && m.Size <= stat.Size { // else it was emptied since
		from = m.Size
	}
	return t.hasFrom(io.NewSectionReader(f, from, stat.Size-from), kinds)
}

// hasFrom is Has for a part of a file. A line that is too long or broken is none of ours.
func (t Trail) hasFrom(r io.Reader, kinds []Kind) bool {
	var job Event
	_ = json.Unmarshal(t.Job, &job) // of a broken record no line is written
	lines := bufio.NewReaderSize(r, maxLine+1)
	for {
		line, err := lines.ReadSlice('\n')
		var e Event
		if json.Unmarshal(line, &e) == nil && slices.Contains(kinds, e.Event) &&
			e.JobID == job.JobID && e.Began.Equal(t.Began) && e.Code != fault.LeftBehind {
			return true
		}
		if err != nil && err != bufio.ErrBufferFull { //nolint:errorlint // bufio returns these errors themselves
			return false
		}
	}
}
