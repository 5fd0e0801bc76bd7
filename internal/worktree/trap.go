package worktree

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// disarm removes an entry of the folder fd if it is a trap. In a folder of others it removes
// nothing, and what vanishes meanwhile is no trap any more.
func (w *walk) disarm(fd int, entry os.DirEntry) {
	if isTrap(fd, entry) && w.owns(fd) && unix.Unlinkat(fd, entry.Name(), 0) == nil {
		w.done.Traps++
	}
}

// isTrap reports whether a program that opens an entry of the folder fd to read it, as git and
// the runner do, would wait for a writer: it is a FIFO, or a link to one.
func isTrap(fd int, entry os.DirEntry) bool {
	switch entry.Type() {
	case os.ModeNamedPipe:
		return true
	case os.ModeSymlink:
		var stat unix.Stat_t
		return !isStream(fd, entry.Name()) && unix.Fstatat(fd, entry.Name(), &stat, 0) == nil && stat.Mode&unix.S_IFMT == unix.S_IFIFO
	}
	return false
}

// isStream reports whether a link leads to a stream of the process that opens it, such as
// /dev/stdout. It may be a file of the repository, and the streams of this process are pipes.
func isStream(fd int, name string) bool {
	var target [len("/dev/std")]byte
	n, err := unix.Readlinkat(fd, name, target[:])
	return err == nil && (strings.HasPrefix(string(target[:n]), "/dev/std") || strings.HasPrefix(string(target[:n]), "/dev/fd/") || strings.HasPrefix(string(target[:n]), "/proc/"))
}
