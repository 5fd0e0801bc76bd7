package state

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/creds"
	"rolecall/internal/job"
)

// SweepAt is Sweep at a later time, for jobs that no backend has run.
func SweepAt(root string, later time.Duration) ([]job.ID, error) {
	h := newHost()
	h.now = h.now.Add(later)
	removed, err := h.sweep(context.Background(), root, nil, nil)
	return IDs(removed), err
}

// IDs returns the ids of jobs.
func IDs(jobs []Ended) []job.ID {
	var ids []job.ID
	for _, one := range jobs {
		ids = append(ids, one.ID)
	}
	return ids
}

// Reencode reads the driver's own copy, and writes what it has read.
func Reencode(content []byte) ([]byte, creds.Set, error) {
	i, err := parseIssued(content)
	if err != nil {
		return nil, i.set, err
	}
	again, err := i.encode()
	return again, i.set, err
}

// Empty removes what is in a folder, until then.
func Empty(path string, until time.Time) error {
	d, err := openDir(unix.AT_FDCWD, path, path)
	if err != nil {
		return err
	}
	defer d.close()
	return d.empty(until)
}

// End ends the job of a folder that is open, as Finish does.
func (f *Folder) End(reap Reap) error { _, err := f.end(context.Background(), reap, nil); return err }

// Remove removes the job of a folder that is open, as Create does if it fails.
func (f *Folder) Remove() error { _, err := f.remove(time.Now().Add(removeTime), nil); return err }

// Readable is readable.
func Readable(version, own int) bool { return readable(version, own) }
