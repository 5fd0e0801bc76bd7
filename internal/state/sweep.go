package state

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

const (
	youngest = time.Minute    // a younger folder without a record may still be in the making
	oldest   = 25 * time.Hour // a younger folder without a lease may still be used by a job
	// patience is how long a stage whose runner has died may take to end its job: run gives
	// a script 8 seconds, and then marks the folder.
	patience = 30 * time.Second
)

// orphanName is a file in a job's folder, which says since when a stage has locked the folder
// though its runner has died.
const orphanName = "orphan"

// Sweep finishes, as Finish does, the jobs of root whose stages or runner have died. It
// returns the jobs that it has removed. It also drops what has expired from the ledger.
//
// It tells of each of these jobs before its record goes.
//
// A job stays while its lease holds. It stays while another process ends it; after half a minute
// Sweep helps that process, and shreds the credentials. It also stays while a stage has its folder locked,
// unless a Remove of it has begun, or the runner is dead and an earlier Sweep has seen that
// half a minute ago: then the stage hangs or is stopped. When it goes on it finds its job
// ended, as after a Finish by another stage. A job without a lease, because its record is broken
// or of an older version, stays for 25 hours. A folder whose making was not completed
// stays for a minute. Folders that do not belong to a job stay. The error is about jobs
// that should have been removed. If the root does not exist or is planted, Sweep
// succeeds.
//
// If ctx has a deadline, Sweep ends with it. What was not done by then stays for the next
// Sweep, and is no error. Jobs come in random order, so that one that takes long does not
// keep others from their turn.
func Sweep(ctx context.Context, root string, reap Reap, tell Tell) ([]Ended, error) {
	return newHost().sweep(ctx, root, reap, tell)
}

// sweep is Sweep on the host h.
func (h host) sweep(ctx context.Context, root string, reap Reap, tell Tell) ([]Ended, error) {
	top, err := openOwn(root)
	if top == nil {
		return nil, err
	}
	defer top.close()
	h.forgetTries(*top)
	h.forgetQuotas(*top)
	h.forgetParcels(*top)
	entries, err := os.ReadDir(procPath(top.fd))
	ids := jobsOf(entries)
	rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] }) //nolint:gosec // no secret
	var removed []Ended
	for _, id := range ids {
		if over(ctx) {
			break
		}
		done, sweepErr := h.sweepJob(ctx, top, id, reap, tell)
		if done != nil {
			removed = append(removed, *done)
		}
		if !over(ctx) { // what was not done in time is for the next sweep
			err = errors.Join(err, sweepErr)
		}
	}
	return removed, errors.Join(err, top.sweepLedger(h))
}

// over reports whether the time of ctx is over. A context says so some time after its
// deadline, when the removal has ended with it.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// jobsOf returns the ids of the jobs that have a folder among the entries.
func jobsOf(entries []os.DirEntry) []job.ID {
	var ids []job.ID
	for _, entry := range entries {
		if id := jobNamed(entry.Name()); id != 0 && entry.IsDir() {
			ids = append(ids, id)
		}
	}
	return ids
}

// jobNamed returns the job whose id is a name, and 0 if there is none.
func jobNamed(name string) job.ID {
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil || id < 1 || job.ID(id).String() != name {
		return 0
	}
	return job.ID(id)
}

// sweepJob removes a job if it is dead. It returns the job if it was removed, else nil.
func (h host) sweepJob(ctx context.Context, top *dir, id job.ID, reap Reap, tell Tell) (*Ended, error) {
	d, err := find(*top, id)
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(foreignError)) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer d.close()
	f := &Folder{id: id, root: *top, dir: d}
	if !f.dead(h) {
		return nil, nil
	}
	if err := f.lockToEnd(h); errors.Is(err, unix.EWOULDBLOCK) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	turn, err := f.takeTurn(0)
	defer turn.close()
	if errors.Is(err, unix.EWOULDBLOCK) && f.late(h) {
		return nil, f.help(ctx, reap)
	}
	if errors.Is(err, unix.EWOULDBLOCK) || !f.dead(h) { // the job may have changed before the lock
		return nil, nil
	}
	return f.sweepTurn(ctx, reap, tell)
}

// sweepTurn ends a dead job of which this process has the turn.
func (f *Folder) sweepTurn(ctx context.Context, reap Reap, tell Tell) (*Ended, error) {
	if f.phase == made && !f.leave() {
		return nil, nil // the stage goes on, and ends its job itself
	}
	e, err := f.end(ctx, reap, tell)
	if err != nil || e.ID == 0 {
		return nil, err
	}
	return &e, nil
}

// lockToEnd locks the folder to end its job. If the job has ended already, or its stage
// hangs, a Sweep may share the lock.
func (f *Folder) lockToEnd(h host) error {
	err := f.dir.lock(unix.LOCK_EX)
	if !errors.Is(err, unix.EWOULDBLOCK) || f.phase != leaving && !f.hangs(h) {
		return err
	}
	return f.dir.lock(unix.LOCK_SH)
}

// hangs reports whether the runner of a job is dead and a stage has had the time to end the
// job. The time begins with the first call. An expired lease is not enough: a host that was
// suspended goes on with its jobs.
func (f *Folder) hangs(h host) bool {
	if f.phase != made || !h.orphaned(f.record.Lease) {
		return false
	}
	var stat unix.Stat_t
	if err := unix.Fstatat(f.dir.fd, orphanName, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		_ = f.dir.create(orphanName, nil) // without it the job stays until its stage ends
		return false
	}
	return h.now.Sub(time.Unix(stat.Mtim.Unix())) > patience
}

// dead reports whether the record and the age of the folder show that nobody needs it.
func (f *Folder) dead(h host) bool {
	_ = f.load() // the fields that can be read of another version's record suffice
	stat, err := f.dir.stat()
	if err != nil || stat.Nlink == 0 {
		return false // another process has removed it
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

// shred overwrites and removes the credentials and the job's own folder, and leaves the
// record.
func (f *Folder) shred(until time.Time) error {
	return errors.Join(f.dir.empty(until, append(lasting(), ownName)...), f.removeOwn(until), f.dir.empty(until, lasting()...))
}
