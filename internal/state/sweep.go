package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

const (
	youngest = time.Minute    // a folder without a record may be in the making for so long
	oldest   = 25 * time.Hour // a folder whose record has no lease may be of a job for so long
)

// Sweep finishes the jobs of root whose stages or runner have died, as Finish does,
// and returns the ids of those that it has removed.
//
// A job stays while its lease holds, and while a stage has its folder locked, unless
// a Remove was at it. Without a lease, as an older version leaves it or a broken
// record, it stays for 25 hours; a folder without a finished record for a minute. What
// is not of a job stays. The error is about those that should have gone; a root that
// is not there or another user's has none.
func Sweep(ctx context.Context, root string, reap Reap) ([]job.ID, error) {
	return newHost().sweep(ctx, root, reap)
}

// sweep is Sweep on that host.
func (h host) sweep(ctx context.Context, root string, reap Reap) ([]job.ID, error) {
	top, err := openOwn(root)
	if top == nil {
		return nil, err
	}
	defer top.close()
	entries, err := os.ReadDir(procPath(top.fd))
	var removed []job.ID
	for _, entry := range entries {
		id, parseErr := strconv.ParseInt(entry.Name(), 10, 64)
		if parseErr != nil || id <= 0 || job.ID(id).String() != entry.Name() || !entry.IsDir() {
			continue
		}
		done, sweepErr := h.sweepJob(ctx, top, job.ID(id), reap)
		if done {
			removed = append(removed, job.ID(id))
		}
		err = errors.Join(err, sweepErr)
	}
	return removed, err
}

// sweepJob removes a job if it is dead, and reports whether it has.
func (h host) sweepJob(ctx context.Context, top *dir, id job.ID, reap Reap) (bool, error) {
	d, err := find(*top, id)
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(foreignError)) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer d.close()
	f := &Folder{id: id, root: *top, dir: d}
	if !f.dead(h) {
		return false, nil
	}
	err = f.dir.lock(unix.LOCK_EX)
	if err != nil && f.phase == leaving {
		err = f.dir.lock(unix.LOCK_SH) // beside a stage that hangs, not beside another Sweep
	}
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil || !f.dead(h) { // it may have changed before it was locked
		return false, err
	}
	err = f.end(ctx, reap)
	return err == nil, err
}

// dead reports whether nobody needs the folder, as far as its record and its age
// tell.
func (f *Folder) dead(h host) bool {
	_ = f.load() // what can be read of a record of another version is enough
	stat, err := f.dir.stat()
	if err != nil || stat.Nlink == 0 {
		return false // somebody else was faster
	}
	age := h.now.Sub(time.Unix(stat.Ctim.Unix()))
	switch {
	case f.phase == leaving:
		return true
	case f.phase != made:
		return age > youngest
	case f.record.Lease == Lease{}:
		return age > oldest
	}
	return !h.alive(f.record.Lease)
}

// shred overwrites and removes the credentials and leaves the record.
func (f *Folder) shred() error {
	return f.dir.empty(time.Now().Add(removeTime), string(intended), string(made), string(leaving))
}
