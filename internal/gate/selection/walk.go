package selection

import (
	"errors"
	"io"
	"os"
	"path"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"
)

const (
	maxWalked = 4096 // folders that a search remembers
	maxOpen   = 64   // folders in one another that are open at once
	chunk     = 256  // names that are read at once
)

// walk takes name and, if it is a folder, its content, as filepath.Walk does. It does
// nothing if that is known to have been taken.
func (s *search) walk(name string) {
	if s.ended() || s.covers(name) {
		return
	}
	if e, whole := s.tree(name, 0); whole && e.mode.IsDir() && len(s.walked) < maxWalked {
		s.walked[name] = true
	}
}

// tree takes name and, if it is a folder, its content. It returns the entry, and whether all
// could be examined. Depth is how many folders are open.
func (s *search) tree(name string, depth int) (e entry, whole bool) {
	e, err := s.lstat(name)
	if err != nil {
		s.addUnreadable(name, err)
		return e, false
	}
	s.take(name, e)
	if !e.mode.IsDir() {
		return e, true
	}
	whole = true
	listed := s.names(name, depth >= maxOpen, func(child string) {
		_, all := s.tree(path.Join(name, child), depth+1)
		whole = whole && all
	})
	return e, whole && listed && !s.ended()
}

// names calls yield for each name in a folder. It reports whether all could be read. With
// closed the folder is closed before: there may be no more descriptors.
func (s *search) names(folder string, closed bool, yield func(name string)) bool {
	fd, err := openat(s.fd, folder, unix.O_DIRECTORY)
	if err != nil {
		s.addUnreadable(path.Clean(folder), err)
		return false
	}
	most := chunk
	if closed {
		most = -1
	}
	dir := os.NewFile(uintptr(fd), folder)
	defer dir.Close()
	for !s.ended() {
		names, err := dir.Readdirnames(most)
		if closed {
			_ = dir.Close()
		}
		for _, name := range names {
			if !s.ended() {
				yield(name)
			}
		}
		switch {
		case errors.Is(err, io.EOF), closed && err == nil:
			return true
		case err != nil:
			s.addUnreadable(path.Clean(folder), err)
			return false
		}
	}
	return false
}

// folder is a folder, and whether all in it was taken.
type folder struct {
	name  string
	taken bool
}

// covers reports whether walk has taken name, which is in a folder that it has taken. Only
// folders may lead there: walk takes nothing behind links.
func (s *search) covers(name string) bool {
	return s.walked[name] || len(s.walked) > 0 && name != "." && s.coversFolder(path.Dir(name))
}

// coversFolder reports whether walk has taken all in a folder.
func (s *search) coversFolder(name string) bool {
	if s.walked[name] || name == "." || s.last.name == name {
		return s.walked[name] || s.last == folder{name, true}
	}
	taken := s.coversFolder(path.Dir(name))
	if taken {
		e, err := s.lstat(name)
		taken = err == nil && e.mode.IsDir()
	}
	s.last = folder{name, taken}
	return taken
}

// take takes the file at name unless it is excluded. It follows fileArchiver.process.
func (s *search) take(name string, e entry) {
	for _, pattern := range s.exclude {
		if excluded, err := doublestar.Match(pattern, name); err == nil && excluded {
			return
		}
	}
	s.set.pile.add(record{name, s.part, e.mode})
	// A file may be there once for each of two parts: Set.review counts them.
	if s.MaxFiles > 0 && s.set.pile.exceeds(2*int(s.MaxFiles)) {
		s.stop()
	}
}
