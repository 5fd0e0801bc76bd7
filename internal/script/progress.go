package script

import (
	"bytes"
	"io"
	"os"
)

// lastLine is the last line of each script that GitLab Runner writes for bash.
//
// https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/shells/bash.go
const lastLine = "\nexit 0\n"

// Progress is how far bash has read a script on its standard input. It says whether the
// script has ended the shell or a startup file has: bash runs its profiles before it
// reads the first byte, and ~/.bash_logout after the last line.
type Progress string

// The values of Progress.
const (
	Unread  Progress = "unread"  // a profile ended the shell: no line of the script ran
	Barred  Progress = "barred"  // the opening ended the shell: a profile has made one of its variables read-only
	Begun   Progress = "begun"   // the script ended the shell
	AllRead Progress = "allread" // bash has read the last line, exit 0: another exit code comes from a logout file
)

// Read returns how far bash has read the script in f, which begins after opening bytes.
// Bash and f must share a file offset. If f has no offset, for instance a pipe, Read
// returns Begun.
func Read(f *os.File, opening int64) Progress {
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return Begun
	}
	info, err := f.Stat()
	switch {
	case err != nil || info.Size() == 0:
		return Begun
	case offset == 0:
		return Unread
	case offset < opening:
		return Barred
	}
	end := make([]byte, len(lastLine))
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err == nil && offset == info.Size() && bytes.Equal(end, []byte(lastLine)) {
		return AllRead
	}
	return Begun
}
