package state

import (
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/handover"
)

const (
	longestParcel = 7 * 24 * time.Hour // that the names of a parcel stay after it has expired
	// parcelRest is how long the parcels are left alone after a sweep of them: each job sweeps.
	parcelRest = 5 * time.Minute
)

// forgetParcels overwrites what was handed over and has expired, and keeps the names for as long
// again, so that a job can be told why it does not get them. A process that works with the
// folder does not wait: the next sweep has time.
func (h host) forgetParcels(top dir) {
	all, err := openDir(top.fd, handedName, top.join(handedName))
	if err != nil {
		return
	}
	defer all.close()
	if !h.isDue(all) || all.lock(unix.LOCK_EX) != nil {
		return
	}
	_ = top.date(handedName, h.now)
	for _, tenant := range all.names() {
		h.forgetIn(all, tenant, h.forgetTenant)
	}
}

// isDue reports whether nobody has swept the folder of parcels for a while.
func (h host) isDue(d dir) bool {
	stat, err := d.stat()
	age := h.now.Sub(time.Unix(stat.Mtim.Unix()))
	return err == nil && (age < 0 || age >= parcelRest)
}

// forgetTenant forgets what has expired of the scopes in d.
func (h host) forgetTenant(d dir) {
	for _, scope := range d.names() {
		h.forgetIn(d, scope, h.forgetScope)
	}
}

// forgetIn calls forget for a folder in d, and removes the folder if it is empty then.
func (h host) forgetIn(d dir, name string, forget func(dir)) {
	if inner, err := openDir(d.fd, name, d.join(name)); err == nil {
		forget(inner)
		inner.close()
		_ = unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR)
	}
}

// forgetScope forgets what has expired of the parcels in d.
func (h host) forgetScope(d dir) {
	for _, name := range d.names() {
		if h.isOver(d, name) {
			h.forgetParcel(d, name)
		}
	}
}

// isOver reports whether a parcel has expired, by the time of its file.
func (h host) isOver(d dir, name string) bool {
	var stat unix.Stat_t
	return unix.Fstatat(d.fd, name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil && !h.now.Before(time.Unix(stat.Mtim.Unix()))
}

// forgetParcel forgets a parcel that has expired: first its values, and later its names. What is
// broken goes as a whole.
func (h host) forgetParcel(d dir, name string) {
	p, ok := d.readable(name)
	if age := min(p.Until.Sub(p.At), longestParcel); ok && !p.Spent && age > 0 {
		_ = d.replaceParcel(name, handover.Encode(p.Spend()), h.now.Add(age))
		return
	}
	_ = d.shred(name)
}

// readable reads a parcel of any scope, and reports whether that is possible.
func (d dir) readable(name string) (handover.Parcel, bool) {
	content, err := d.read(name, maxParcel)
	if err != nil || name == parcelNew {
		return handover.Parcel{}, false
	}
	p, err := handover.DecodeAny(content)
	return p, err == nil
}
