package script

import (
	"bytes"
	"io"
	"os"
)

// lastLine is how GitLab Runner ends its scripts for bash.
//
// https://gitlab.com/gitlab-org/gitlab-runner/-/blob/main/shells/bash.go
const lastLine = "\nexit 0\n"

// Progress is how far bash has read a script that is its standard input. It tells
// the script's own end from one that a startup file of the shell has made: bash reads
// its profiles before the first byte, and runs ~/.bash_logout after the last line.
type Progress string

// What can be told of a script by how far bash has read it.
const (
	Unread  Progress = "unread"  // a profile ended the shell: nothing of the script ran
	Begun   Progress = "begun"   // the script ended the shell
	AllRead Progress = "allread" // bash had read the last line, exit 0: what ends it otherwise is a logout file
)

// Read returns how far bash has read the script in f, whose offset it shares.
// Where f does not tell, a pipe for instance, it is Begun.
func Read(f *os.File) Progress {
	offset, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return Begun
	}
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return Begun
	}
	if offset == 0 {
		return Unread
	}
	end := make([]byte, len(lastLine))
	if _, err := f.ReadAt(end, info.Size()-int64(len(end))); err == nil && offset == info.Size() && bytes.Equal(end, []byte(lastLine)) {
		return AllRead
	}
	return Begun
}
