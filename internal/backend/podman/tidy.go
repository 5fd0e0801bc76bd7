package podman

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
)

const (
	// making is how long a folder may take from its making to its note, and a record from its
	// loss to the end of the job.
	making = time.Minute
	// longest is the same where the record may be in a place that cannot be seen from here.
	longest = 25 * time.Hour
)

// Tidy removes the folders of jobs that no living job has, with their processes and links. A
// folder stays while a record names it, and for a minute. If the folder that had the record
// is gone, or is another one now, it stays for 25 hours; if it was made before this boot of
// the host, it goes at once.
func (b *Backend) Tidy(ctx context.Context, images string, find backend.Finder) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(images, jobsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // no job has had a container
	}
	var removed []string
	t := tidier{b, images, find, bootID()}
	for _, entry := range entries {
		dir := filepath.Join(images, jobsDir, entry.Name())
		if ctx.Err() != nil || t.lives(dir) {
			continue
		}
		gone, problem := t.remove(ctx, dir)
		if gone {
			removed = append(removed, "what the containers of a dead job left in "+dir)
		}
		if ctx.Err() == nil { // what was not done in time is for the next one
			err = errors.Join(err, problem)
		}
	}
	return removed, errors.Join(err, t.removeLinks())
}

// tidier removes folders of jobs below images.
type tidier struct {
	*Backend

	images string
	find   backend.Finder
	boot   string // id
}

// lives reports whether a folder may be that of a living job.
func (t tidier) lives(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil {
		return true // another process has removed it
	}
	n, ok := readNote(dir)
	if !ok {
		return time.Since(info.ModTime()) < making
	}
	if n.Boot != t.boot {
		return false
	}
	age := ageOf(filepath.Join(dir, noteFile))
	if n.Root == "" || identity(n.Root) != n.At {
		return age < longest
	}
	return age < making || t.isNamed(n, dir)
}

// ageOf returns how long ago a file was written. A file that is gone is new.
func ageOf(path string) time.Duration {
	info, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	return time.Since(info.ModTime())
}

// isNamed reports whether the record of a job may name a folder.
func (t tidier) isNamed(n note, dir string) bool {
	data, err := t.find(n.Root, n.Job)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	p, err := parse(data)
	return data == nil || err == nil && p.Dir == dir
}

// remove removes a folder, unless it has come to life since, or a folder of a job is being
// made. The job's processes die first, and files of its work tree become its user's.
func (t tidier) remove(ctx context.Context, dir string) (bool, error) {
	unlock, err := lockJobs(t.images, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer unlock()
	if t.lives(dir) {
		return false, nil
	}
	n, _ := readNote(dir)
	p, err := parse(n.Data)
	if err == nil && t.isShared(p) {
		return false, nil
	}
	if err != nil || p.Dir != dir {
		err = place{Dir: dir}.remove(ctx) // no program has run for it
	} else {
		err = errors.Join(t.Reap(ctx, n.Data, n.Job), os.RemoveAll(p.Own))
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", dir, err)
	}
	return true, nil
}

// isShared reports whether files of a job's work tree may belong to others and another job
// works there. While that one lives nobody may give them back.
func (t tidier) isShared(p place) bool {
	if _, err := os.Lstat(filepath.Join(p.Dir, lentFile)); err != nil {
		return false
	}
	dirs, _ := filepath.Glob(filepath.Join(t.images, jobsDir, "*"))
	return slices.ContainsFunc(dirs, func(dir string) bool {
		n, _ := readNote(dir)
		other, err := parse(n.Data)
		return err == nil && dir != p.Dir && other.Slot == p.Slot && t.lives(dir)
	})
}

// removeLinks removes links of jobs that have no folder.
func (t tidier) removeLinks() error {
	entries, err := os.ReadDir(LinksDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	unlock, lockErr := lockJobs(t.images, unix.LOCK_EX|unix.LOCK_NB)
	if lockErr != nil {
		return err // a job is being made; the next sweep comes
	}
	defer unlock()
	for _, entry := range entries {
		link := filepath.Join(LinksDir, entry.Name())
		target, _ := os.Readlink(link)
		dir := filepath.Dir(target)
		if filepath.Dir(dir) != filepath.Join(t.images, jobsDir) {
			continue // not ours
		}
		if _, statErr := os.Lstat(dir); errors.Is(statErr, fs.ErrNotExist) {
			err = errors.Join(err, os.Remove(link))
		}
	}
	return err
}
