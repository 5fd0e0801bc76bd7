package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// takeTurn locks the record of the job, for which it waits that long. Who has the lock ends
// the job: it removes the record and tells of the end, and nobody else does. The lock ends
// with its holder, also by a kill. While another process has it, the error is an
// EWOULDBLOCK. A folder without a record has no turns, and takeTurn succeeds.
//
// It reads the record again: another process may have marked it.
func (f *Folder) takeTurn(wait time.Duration) (turn dir, err error) {
	for begin := time.Now(); ; time.Sleep(lockPause) {
		turn, err = f.tryTurn()
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Since(begin) >= wait {
			return turn, err
		}
		turn.close()
	}
}

// tryTurn is takeTurn without waiting. Turn is open beside an EWOULDBLOCK, too.
func (f *Folder) tryTurn() (dir, error) {
	turn, err := f.openRecord()
	if err != nil || turn.fd < 0 {
		return turn, err
	}
	if err = turn.lock(unix.LOCK_EX); err != nil {
		return turn, err
	}
	if stat, err := turn.stat(); err == nil && stat.Nlink == 0 {
		return turn, fmt.Errorf("%s: %w", turn.path, unix.EWOULDBLOCK) // the job was ended meanwhile
	}
	_ = f.load() // the folder is removed even if its record is broken
	return turn, nil
}

// openRecord reads the record again and opens its file. Without a record there is no file.
func (f *Folder) openRecord() (dir, error) {
	_ = f.load()
	none := dir{fd: -1}
	if f.phase == bare {
		return none, nil
	}
	path := f.dir.join(string(f.phase))
	fd, owner, err := openat(f.dir.fd, string(f.phase), path, unix.S_IFREG, unix.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		err = unix.EWOULDBLOCK // it has another name by now
	}
	if err != nil {
		return none, err
	}
	return dir{fd, path, owner}, nil
}

// late reports whether the end of the job began longer ago than patience.
func (f *Folder) late(h host) bool {
	var stat unix.Stat_t
	err := unix.Fstatat(f.dir.fd, string(leaving), &stat, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && h.now.Sub(time.Unix(stat.Ctim.Unix())) > patience
}

// help is for a job that another process ends, and does not come to the end: it may hang or be
// stopped. It kills the job's processes and shreds the credentials. The record stays, so that
// the other process tells of the end when it goes on, or the next Sweep when that process is
// dead.
func (f *Folder) help(ctx context.Context, reap Reap) error {
	_ = f.leave()
	return errors.Join(reap.safely(ctx, f.record, f.id), f.shred(end(ctx)))
}

// errStuck says which processes end the job and do not come to the end. Turn is the record.
func (f *Folder) errStuck(turn dir) error {
	return fmt.Errorf("%s: the end of job %s does not go on: process %v; find out why, then kill it", f.dir.path, f.id, turn.holders())
}
