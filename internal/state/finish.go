package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"rolecall/internal/job"
)

// Reap ends what a job has left in the place that its scripts run in: its processes,
// first of all. Backend and data are those of its record. That nothing is there is
// success.
type Reap func(ctx context.Context, backend string, data json.RawMessage, id job.ID) error

// Finish reaps a job and then removes it, as Remove does. Where reap fails, or panics,
// the credentials are shredded and the record stays, so that the next Sweep tries
// again; the error says so. A root that is not there or another user's, or a job that
// is not there, is nothing to do, and nothing is made.
func Finish(ctx context.Context, root string, key job.Key, reap Reap) error {
	top, err := openOwn(root)
	if top == nil {
		return err
	}
	defer top.close()
	d, err := find(*top, key.ID)
	if err != nil {
		return present(err)
	}
	defer d.close()
	f := &Folder{id: key.ID, root: *top, dir: d}
	_ = f.load() // a record that is broken or missing says nothing against removing
	if err := f.checkProof(key); err != nil {
		return err
	}
	return f.end(ctx, reap)
}

// end is Finish for a folder whose record has been read.
func (f *Folder) end(ctx context.Context, reap Reap) error {
	if stat, err := f.dir.stat(); err != nil || stat.Nlink == 0 {
		return err // somebody else has; a new attempt may have processes by now
	}
	f.leave()
	if f.record.Backend == "" {
		return f.remove()
	}
	if err := reap.safely(ctx, f.record, f.id); err != nil {
		err = fmt.Errorf("%s: what job %s has left running cannot be ended; its credentials go and its record stays, for the next sweep: %w", f.dir.path, f.id, err)
		return errors.Join(err, f.shred())
	}
	return f.remove()
}

// safely reaps. A panic is an error like any other: the credentials must go.
func (r Reap) safely(ctx context.Context, record Record, id job.ID) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return r(ctx, record.Backend, record.Data, id)
}

// leave marks the folder, so that no lease can keep it.
func (f *Folder) leave() {
	if f.phase == made && f.dir.move(string(made), f.dir, string(leaving)) == nil {
		f.phase = leaving // otherwise only a kill half-way would matter
	}
}
