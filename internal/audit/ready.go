package audit

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Ready fails if no line could be written now, with the errors of Write. It writes nothing: it
// takes room for a line, and gives it back.
func (l Log) Ready() error {
	if l.Path == "" {
		return nil
	}
	return l.explain(l.locked(reserve))
}

// reserve takes room for a line behind the end of the log, and gives it back. A file system that
// cannot say how much room there is has enough.
func reserve(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, info.Size(), maxLine)
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS) {
		return nil
	}
	return errors.Join(err, f.Truncate(info.Size()))
}
