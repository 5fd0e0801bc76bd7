package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/workdir"
)

// lockJobs keeps the folders of jobs below base as they are until unlock is called. How is
// unix.LOCK_SH for who makes one, and LOCK_EX for who removes those that nobody has.
func lockJobs(base string, how int) (unlock func(), err error) {
	f, err := lockFile(filepath.Join(base, jobsDir+".lock"), how)
	return func() { _ = f.Close() }, err
}

// storeLock is the end of the name of the file, beside a store, that is locked by who chooses
// images there (unix.LOCK_SH), and by who removes some (LOCK_EX).
const storeLock = ".lock"

// openStore locks the store of a job until the file is closed: no image goes meanwhile. If the
// store as a whole has gone, it makes a new one.
func (e engine) openStore(ctx context.Context, o backend.Order) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Containers.Engine.PullTime)
	defer cancel()
	defer sayWhile(o.Say, "waiting until images that are not needed any more are removed")()
	f, err := lockPatiently(ctx, e.place.Store+storeLock, unix.LOCK_SH)
	if err != nil {
		return nil, fault.New(fault.Engine, fmt.Errorf("the store of the images cannot be locked: %w", err), "")
	}
	name, err := filepath.Rel(e.place.images(), e.place.Store)
	if err == nil {
		err = workdir.Make(e.place.images(), name, e.as.UID, e.as.GID)
	}
	if err != nil {
		return nil, errors.Join(engineFault("make the store of the images", err), f.Close())
	}
	return f, nil
}

// lockPatiently locks a file as lockFile does, and tries until ctx is done.
func lockPatiently(ctx context.Context, path string, how int) (*os.File, error) {
	return patiently(ctx, func() (*os.File, error) { return lockFile(path, how|unix.LOCK_NB) })
}

// patiently tries to lock a file until ctx is done.
func patiently(ctx context.Context, lock func() (*os.File, error)) (*os.File, error) {
	for {
		f, err := lock()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return f, err
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// lockFile locks a file, which it makes if there is none, until the file is closed. Who has
// the lock may remove the file: then the others lock a new one.
func lockFile(path string, how int) (*os.File, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := unix.Flock(int(f.Fd()), how); err != nil {
			_ = f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if info, err := f.Stat(); err == nil && isAt(info, path) {
			return f, nil
		}
		_ = f.Close()
	}
}

// isAt reports whether a file is at path.
func isAt(info os.FileInfo, path string) bool {
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(info, there)
}
