package suspension

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/adminfile"
	"rolecall/internal/draft"
)

// lockTime is how long a change waits for another one, and lockPause how long between two tries.
const (
	lockTime  = 10 * time.Second
	lockPause = 10 * time.Millisecond
)

// Change replaces the list in the file by what do returns for it, at once for all who read it. It
// makes the folder if need be. Others that change the file wait meanwhile. Do gets no suspension
// that has ended. If do fails, nothing changes. A file that cannot be read is not changed: who
// suspends cannot know what is in it. Without suspensions there is no file.
func (f File) Change(do func(List) (List, error)) error {
	return f.ChangeAfter(do, func() error { return nil })
}

// ChangeAfter is Change, and calls before when the new list is on the disk, just before it counts.
// If before fails, nothing changes.
func (f File) ChangeAfter(do func(List) (List, error), before func() error) error {
	dir := filepath.Dir(f.Path)
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) { //nolint:gosec // it holds no secret
		return err
	}
	if err := adminfile.Check(dir); err != nil {
		return err
	}
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := lock(folder); err != nil {
		return err
	}
	return f.change(folder, do, before)
}

// lock locks a folder, until it is closed.
func lock(folder *os.File) error {
	for end := time.Now().Add(lockTime); ; time.Sleep(lockPause) {
		err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("another process changes which tenants are suspended, and keeps %s locked", folder.Name())
		}
	}
}

// change changes the file in the locked folder.
func (f File) change(folder *os.File, do func(List) (List, error), before func() error) error {
	old, err := f.Read()
	if err != nil {
		return err
	}
	now := time.Now()
	next, err := do(slices.DeleteFunc(old, func(s Suspension) bool { return !s.Holds(now) }))
	if err != nil {
		return err
	}
	if err := f.put(next, before); err != nil {
		return err
	}
	if err := folder.Sync(); err != nil {
		return err
	}
	_, err = f.Read() // as the stages read it
	return err
}

// put writes a list, or removes the file if the list is empty.
func (f File) put(l List, before func() error) error {
	if len(l) > 0 {
		return f.write(l, before)
	}
	if err := before(); err != nil {
		return err
	}
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// write writes a list to a new file, and puts that in the place of the old one.
func (f File) write(l List, before func() error) error {
	text, err := json.MarshalIndent(content{format, l}, "", "  ")
	if err != nil {
		return err
	}
	made, err := draft.New(f.Path)
	if err != nil {
		return err
	}
	_, err = made.Write(append(text, '\n'))
	err = errors.Join(err, made.Finish(0o644)) // the broker is not root
	if err == nil {
		err = before()
	}
	if err == nil {
		err = made.Replace()
	}
	return errors.Join(err, made.Close())
}

// With returns the list with a suspension, in the place of an earlier one of the same.
func (l List) With(s Suspension) List { return append(l.Without(s.Tenant), s) }

// Without returns the list without the suspension of a tenant, or of all tenants for an empty name.
func (l List) Without(tenant string) List {
	return slices.DeleteFunc(slices.Clone(l), func(s Suspension) bool { return s.Tenant == tenant })
}
