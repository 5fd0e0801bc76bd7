package admin

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"rolecall/internal/draft"
)

// writeFile writes a file that its owner alone may read: the whole of it, or nothing. A file that
// exists is left unchanged, unless force is set.
func writeFile(path string, force bool, write func(io.Writer) error) error {
	return writeMode(path, 0o600, force, write)
}

// writeOpen writes a file that all may read: the whole of it, or nothing. It replaces a file that
// exists.
func writeOpen(path string, content []byte) error {
	return writeMode(path, 0o644, true, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// writeMode writes a file with a mode. What is no regular file, such as /dev/null, is never replaced.
func writeMode(path string, mode fs.FileMode, force bool, write func(io.Writer) error) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file, and is left unchanged: name another file", path)
	case err == nil && !force:
		return fmt.Errorf("%s exists, and is left unchanged; --force replaces it", path)
	}
	f, err := draft.New(path)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Finish(mode)
	}
	if err == nil {
		err = put(f, force)
	}
	return errors.Join(err, f.Close())
}

// put gives a file its name.
func put(f *draft.File, force bool) error {
	if force {
		return f.Replace()
	}
	return f.Create()
}
