package setup

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"rolecall/internal/draft"
)

// Write writes all files, or none: if one cannot be written, those that were are removed
// again. Folders above them are made with mode 0755 and stay. An interrupt meanwhile has no effect.
func (p Plan) Write() error {
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(interrupts)
	drafts := make([]*draft.File, 0, len(p.Files))
	defer func() {
		for _, d := range drafts {
			_ = d.Close() // on the disk are those that have their names
		}
	}()
	for _, f := range p.Files {
		d, err := f.stage()
		if d != nil {
			drafts = append(drafts, d)
		}
		if err != nil {
			return fmt.Errorf("%w; nothing was written", err)
		}
	}
	for i, f := range p.Files {
		if err := f.place(drafts[i]); err != nil {
			return errors.Join(fmt.Errorf("%w; nothing was written", err), undo(p.Files[:i]))
		}
	}
	return nil
}

// stage writes the content to a draft of the file.
func (f File) stage() (*draft.File, error) {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil { //nolint:gosec // folders of /etc, which all may see
		return nil, err
	}
	d, err := draft.New(f.Path)
	if err != nil {
		return nil, err
	}
	_, err = d.Write(f.Content)
	return d, errors.Join(err, d.Chmod(f.Mode), f.keepOwner(d), d.Sync())
}

// keepOwner gives a file that takes the place of another one its owner and mode.
func (f File) keepOwner(t *draft.File) error {
	if f.old == nil {
		return nil
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return err
	}
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.ErrUnsupported
	}
	return errors.Join(t.Chown(int(s.Uid), int(s.Gid)), t.Chmod(info.Mode()))
}

// place gives the draft its name. What others have made there meanwhile stays, and is
// an error.
func (f File) place(d *draft.File) error {
	if f.old == nil {
		err := d.Create()
		if errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("%s is there already, and is never overwritten", f.Path)
		}
		return err
	}
	folder, err := os.Open(filepath.Dir(f.Path))
	if err != nil {
		return err
	}
	defer folder.Close() // and the lock of another rolecall init goes on
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	now, err := os.ReadFile(f.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, f.old) {
		return fmt.Errorf("%s has changed meanwhile: do it again", f.Path)
	}
	return d.Replace()
}

// undo removes files that were written, and gives others the content that they had.
func undo(files []File) error {
	var failed []error
	for _, f := range files {
		if f.old == nil {
			failed = append(failed, os.Remove(f.Path))
			continue
		}
		f.Content, f.old = f.old, f.Content
		d, err := f.stage()
		if err == nil {
			err = f.place(d)
		}
		if d != nil {
			err = errors.Join(err, d.Close())
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}
