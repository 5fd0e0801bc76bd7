package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

// Job is a job that has a folder, as it is now.
type Job struct {
	ID      job.ID
	Record  Record // the fields that could be read
	Live    bool   // it is prepared, and has not ended: its lease holds
	Holders []int  // the processes that have its folder locked: its stages
}

// Jobs returns the jobs of root. It changes nothing, and locks nothing. If the root does not
// exist, there are none. A root that belongs to another user is an error.
func Jobs(root string) ([]Job, error) {
	top, err := openDir(unix.AT_FDCWD, root, root)
	if errors.Is(err, fs.ErrNotExist) || isRoots(err) && os.Geteuid() != 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer top.close()
	entries, err := os.ReadDir(procPath(top.fd))
	var jobs []Job
	for _, id := range jobsOf(entries) {
		j, jobErr := newHost().jobOf(top, id)
		if jobErr == nil {
			jobs = append(jobs, j)
		} else if !errors.Is(jobErr, fs.ErrNotExist) {
			err = errors.Join(err, jobErr)
		}
	}
	return jobs, err
}

// jobOf returns a job as it is now.
func (h host) jobOf(top dir, id job.ID) (Job, error) {
	d, err := find(top, id)
	if err != nil {
		return Job{}, err
	}
	defer d.close()
	f := &Folder{id: id, root: top, dir: d}
	dead := f.dead(h)
	return Job{id, f.record, f.phase == made && !dead, d.holders()}, nil
}

// holders returns the processes that have a folder locked.
//
// https://man7.org/linux/man-pages/man5/proc_locks.5.html
func (d dir) holders() []int {
	stat, err := d.stat()
	content, _ := os.ReadFile("/proc/locks") // without it the processes are not known
	if err != nil {
		return nil
	}
	inode := fmt.Sprintf("%02x:%02x:%d", unix.Major(stat.Dev), unix.Minor(stat.Dev), stat.Ino)
	var pids []int
	for line := range strings.Lines(string(content)) {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[1] != "FLOCK" || fields[5] != inode {
			continue
		}
		if pid, err := strconv.Atoi(fields[4]); err == nil && pid > 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}
