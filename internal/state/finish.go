package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

// Reap kills the processes that a job has left. Backend and data are the fields of the
// job's record. If there is nothing to kill, Reap succeeds.
type Reap func(ctx context.Context, backend string, data json.RawMessage, id job.ID) error

// Finish reaps a job and then removes it as Remove does. If reap fails or panics, the
// credentials are shredded and the record stays, so that the next Sweep tries again; the
// error says so. The removal ends with ctx, or after 20 seconds if ctx has no deadline. If
// the root does not exist or is planted, or if the job does not exist,
// Finish does nothing and succeeds.
//
// While another process ends the job, Finish waits for it, for half a minute or until ctx
// ends. After that the other process hangs: Finish shreds the credentials, leaves the record to it,
// and returns an error.
//
// It returns the job if this process has ended it, and tells of it. Beside an error it does
// so if nobody had tried to end the job before.
func Finish(ctx context.Context, root string, key job.Key, reap Reap, tell Tell) (Ended, error) {
	top, err := openOwn(root)
	if top == nil {
		return Ended{}, err
	}
	defer top.close()
	d, err := find(*top, key.ID)
	if err != nil {
		return Ended{}, present(err)
	}
	defer d.close()
	f := &Folder{id: key.ID, root: *top, dir: d}
	_ = f.load() // the folder is removed even if its record is broken or missing
	if err := f.checkProof(key); err != nil {
		return Ended{}, err
	}
	turn, err := f.takeTurn(min(patience, time.Until(end(ctx))))
	defer turn.close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return Ended{}, errors.Join(f.help(ctx, reap), f.errStuck(turn))
	}
	return f.endFirst(ctx, reap, tell) // any other error keeps all processes from the turn
}

// endFirst is end, but also tells of a job that could not be ended, unless somebody had tried before.
func (f *Folder) endFirst(ctx context.Context, reap Reap, tell Tell) (Ended, error) {
	first := f.leave()
	e, err := f.end(ctx, reap, tell)
	if err == nil || e.ID != 0 || !first {
		return e, err
	}
	tell.of(f.ended(), err)
	return f.ended(), err
}

// end is Finish for a folder whose record has been read, and of which this process has the turn.
func (f *Folder) end(ctx context.Context, reap Reap, tell Tell) (Ended, error) {
	if stat, err := f.dir.stat(); err != nil || stat.Nlink == 0 {
		return Ended{}, err // another process has removed it; the processes may belong to a new attempt
	}
	_ = f.leave()
	if err := reap.safely(ctx, f.record, f.id); err != nil {
		err = fmt.Errorf("%s: the credentials of job %s are removed, but its processes cannot be killed: %w", f.dir.path, f.id, err)
		return Ended{}, errors.Join(err, f.shred(end(ctx)))
	}
	return f.remove(end(ctx), tell)
}

// end returns when a removal must have ended: with ctx, or after removeTime if ctx has no
// deadline.
func end(ctx context.Context) time.Time {
	if deadline, ok := ctx.Deadline(); ok {
		return deadline
	}
	return time.Now().Add(removeTime)
}

// safely reaps the job of a record that names a backend. A panic becomes an error, so
// that the credentials are shredded.
func (r Reap) safely(ctx context.Context, record Record, id job.ID) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if record.Backend == "" {
		return nil
	}
	return r(ctx, record.Backend, record.Data, id)
}

// Over reports whether the end of the job has begun: another process reaps and removes the
// job, or has done so. What is started before a call that returns false is found by whoever
// ends the job later.
func (f *Folder) Over() bool {
	var stat unix.Stat_t
	return unix.Fstatat(f.dir.fd, string(made), &stat, unix.AT_SYMLINK_NOFOLLOW) != nil
}

// leave marks the folder as finished, whatever its lease says, and reports whether it was
// not marked before. If the mark fails, only a kill before the end of the removal matters:
// the folder then stays for the lease.
func (f *Folder) leave() bool {
	if f.phase != made {
		return f.phase == intended
	}
	err := f.dir.move(string(made), f.dir, string(leaving))
	if err == nil {
		f.phase = leaving
	}
	return !errors.Is(err, fs.ErrNotExist) // else another process has marked it
}
