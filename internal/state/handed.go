package state

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/handover"
)

const (
	// handedName is the folder of a root that has what jobs have handed over on this host: for
	// each tenant a folder, in it one for each scope, and in it a file for each job.
	handedName = "handover"
	parcelEnd  = ".parcel"
	parcelNew  = "new" + parcelEnd // the next content of a file, or the one before
	maxParcel  = 1 << 20           // of a file, in bytes
	maxHanded  = 32 << 20          // of a tenant, in bytes
	// handedWait is how long a job waits for other jobs that hand over or take at the time.
	handedWait = 10 * time.Second
)

// Local is the store of handed-over values that is this host: files in the root, which end with
// the boot.
type Local struct{}

// Name returns the store's name in a policy file.
func (Local) Name() string { return handover.Local }

// Put keeps a parcel. It replaces that of an earlier try of the job, whose content is overwritten,
// and is there as a whole, or not at all.
func (Local) Put(_ context.Context, w handover.Way, p handover.Parcel) error {
	content := handover.Encode(p)
	if len(content) > maxParcel {
		return fmt.Errorf("what the job hands over takes more than %d bytes", maxParcel)
	}
	return inHanded(w.Root, func(d dir) error { return d.putParcel(p, content) })
}

// inHanded calls do for the folder of all that was handed over, which is locked.
func inHanded(root string, do func(dir) error) error {
	top, err := openRoot(root)
	if err != nil {
		return err
	}
	defer top.close()
	return top.within(handedName, func(d dir) error { return d.locked(do) })
}

// locked calls do for d, which is locked.
func (d dir) locked(do func(dir) error) error {
	if err := d.lockFor(handedWait); err != nil {
		return err
	}
	return do(d)
}

// within calls do for the folder of that name in d, and makes it if necessary.
func (d dir) within(name string, do func(dir) error) error {
	inner, err := d.makeDir(name)
	if err != nil {
		return err
	}
	defer inner.close()
	return do(inner)
}

// putParcel writes the file of a parcel below d.
func (d dir) putParcel(p handover.Parcel, content []byte) error {
	return d.within(p.Scope.Tenant, func(tenant dir) error {
		if err := tenant.hasRoom(len(content)); err != nil {
			return err
		}
		return tenant.within(scopeName(p.Scope), func(scope dir) error { return scope.setParcel(p, content) })
	})
}

// setParcel writes the file of a parcel in d, unless there is that of a later try of the job.
func (d dir) setParcel(p handover.Parcel, content []byte) error {
	name := parcelName(p.Job)
	if before, err := d.parcel(name, p.Scope); err == nil && before.JobID > p.JobID {
		return nil
	}
	return d.replaceParcel(name, content, p.Until)
}

// replaceParcel gives the file a content, and overwrites the one before. The time of the file says
// when its parcel expires, so that the sweep need not read it.
func (d dir) replaceParcel(name string, content []byte, until time.Time) error {
	err := d.exchange(name, parcelNew, content)
	if errors.Is(err, fs.ErrNotExist) { // there was none
		err = d.replace(name, parcelNew, content)
	}
	if err != nil {
		return errors.Join(err, d.shred(parcelNew))
	}
	return d.date(name, until)
}

// date sets the time of a file or folder.
func (d dir) date(name string, until time.Time) error {
	at := unix.NsecToTimespec(until.UnixNano())
	return d.errorf(name, unix.UtimesNanoAt(d.fd, name, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
}

// hasRoom fails if the tenant would have more than its share, or if the file system is almost full:
// the credentials of jobs need its room too.
func (d dir) hasRoom(more int) error {
	switch {
	case d.isFull():
		return d.errorf("", fmt.Errorf("the file system is almost full, and credentials need the rest: %w", unix.ENOSPC))
	case d.sizeBelow()+int64(more) > maxHanded:
		return d.errorf("", fmt.Errorf("the tenant's jobs have handed over more than %d MiB that has not expired: %w", maxHanded>>20, unix.ENOSPC))
	}
	return nil
}

// isFull reports whether less than an eighth of the file system is free.
func (d dir) isFull() bool {
	var stat unix.Statfs_t
	return unix.Fstatfs(d.fd, &stat) == nil && stat.Bavail < stat.Blocks/8
}

// names returns the names of all that is in d, sorted.
func (d dir) names() []string {
	entries, _ := os.ReadDir(procPath(d.fd))
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// sizeBelow returns how many bytes the files in the folders in d take.
func (d dir) sizeBelow() (size int64) {
	for _, name := range d.names() {
		size += d.sizeIn(name)
	}
	return size
}

// sizeIn returns how many bytes the files in a folder in d take.
func (d dir) sizeIn(name string) (size int64) {
	inner, err := openDir(d.fd, name, d.join(name))
	if err != nil {
		return 0
	}
	defer inner.close()
	return inner.size()
}

// size returns how many bytes the files in d take.
func (d dir) size() (size int64) {
	for _, name := range d.names() {
		size += d.sizeOf(name)
	}
	return size
}

// sizeOf returns how many bytes a file takes: on a tmpfs whole pages.
func (d dir) sizeOf(name string) int64 {
	var stat unix.Stat_t
	_ = unix.Fstatat(d.fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW) // one that is gone takes none
	return stat.Blocks * 512
}

// List returns what jobs have handed over on this host.
func (Local) List(_ context.Context, w handover.Way, s handover.Scope) (l handover.Listing, err error) {
	err = inHanded(w.Root, func(d dir) error {
		var err error
		l, err = d.listing(s)
		return err
	})
	return l, err
}

// listing reads all parcels of a scope below d.
func (d dir) listing(s handover.Scope) (handover.Listing, error) {
	path := s.Tenant + "/" + scopeName(s)
	inner, err := openDir(d.fd, path, d.join(path))
	if err != nil {
		return handover.Listing{}, present(err)
	}
	defer inner.close()
	return inner.parcels(s), nil
}

// parcels reads all parcels of a scope in d.
func (d dir) parcels(s handover.Scope) (l handover.Listing) {
	for _, name := range d.names() {
		p, err := d.parcelOf(name, s)
		switch {
		case name == parcelNew: // its writer has died
		case err != nil:
			l.Broken = append(l.Broken, err.Error())
		default:
			l.Parcels = append(l.Parcels, p)
		}
	}
	return l
}

// parcelOf reads a parcel of a scope, which must be of the job that the name says.
func (d dir) parcelOf(name string, s handover.Scope) (handover.Parcel, error) {
	p, err := d.parcel(name, s)
	if err == nil && parcelName(p.Job) != name {
		err = errors.New("it is of another job")
	}
	return p, d.errorf(name, err)
}

// parcel reads a parcel of a scope.
func (d dir) parcel(name string, s handover.Scope) (handover.Parcel, error) {
	content, err := d.read(name, maxParcel)
	if err != nil {
		return handover.Parcel{}, err
	}
	return handover.Decode(content, s)
}

// scopeName returns the name of the folder of a scope.
func scopeName(s handover.Scope) string {
	text, _ := json.Marshal(s) // cannot fail: it has texts alone
	return hashName(string(text))
}

// parcelName returns the name of the file of a job.
func parcelName(job string) string { return hashName(job) + parcelEnd }

// hashName returns a name for a text. Who makes up two texts of one name wins nothing: the content of
// a file says whose it is.
func hashName(text string) string {
	hash := fnv.New128a()
	_, _ = hash.Write([]byte(text))
	return hex.EncodeToString(hash.Sum(nil))
}
