package state

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/quota"
)

const (
	// quotaName is the folder of a root that has when credentials were asked for, in a file
	// for each tenant and project.
	quotaName = "requests"
	quotaNew  = "new"   // the next content of a file
	maxQuota  = 1 << 20 // of a file, in bytes
)

// Quota is the bound of a tenant and a project on this host.
type Quota quota.Quota

// Quota returns the quota of the job's tenant and project.
func (f *Folder) Quota() Quota { return Quota{f.record.Tenant, f.record.Project, f.record.Requests} }

// Take counts n credentials that are about to be asked for. If these are too many, it counts
// none, and the error is a fault.TooMany that says when to try again.
func (q Quota) Take(root string, n int) error { return q.change(root, n, true) }

// Count counts n credentials, however many there are: those that a running job needs anew.
func (q Quota) Count(root string, n int) error { return q.change(root, n, false) }

// change counts n credentials. One process at a time does that. The file is there as a whole
// with them, or as it was.
func (q Quota) change(root string, n int, bounded bool) error {
	if q.PerMinute == 0 {
		return nil
	}
	top, err := openRoot(root)
	if err != nil {
		return err
	}
	defer top.close()
	d, err := top.makeDir(quotaName)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.lockFor(ledgerWait); err != nil {
		return err
	}
	now := time.Now()
	asked, err := d.asked(q.name(), now)
	if err != nil {
		return err
	}
	if wait := quota.Quota(q).Wait(asked, n, now); bounded && wait > 0 {
		return quota.Quota(q).Refuse(wait)
	}
	return d.replace(q.name(), quotaNew, encode(append(asked, quota.Request{At: now, N: n})))
}

// name returns the name of the file. The name of a tenant is that of a file.
func (q Quota) name() string { return fmt.Sprintf("%s.%d", q.Tenant, q.Project) }

// asked returns what a file has of the last minute, the oldest first. A line that is broken
// does not count, nor does one that lies in the future: the clock was set back. A file that
// cannot be read is an error, and not one without requests.
func (d dir) asked(name string, now time.Time) ([]quota.Request, error) {
	content, err := d.read(name, maxQuota)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []quota.Request
	for line := range strings.Lines(string(content)) {
		var at int64
		var n int
		if _, err := fmt.Sscanf(line, "%d %d\n", &at, &n); err != nil || n < 1 {
			continue
		}
		if r := (quota.Request{At: time.UnixMilli(at), N: n}); r.Counts(now) {
			all = append(all, r)
		}
	}
	return all, nil
}

// encode returns the content of a file, as asked reads it.
func encode(all []quota.Request) []byte {
	var content bytes.Buffer
	for _, r := range all {
		fmt.Fprintf(&content, "%d %d\n", r.At.UnixMilli(), r.N)
	}
	return content.Bytes()
}

// forgetQuotas removes the files of tenants and projects that have asked for nothing in the
// last minutes.
func (h host) forgetQuotas(top dir) {
	d, err := openDir(top.fd, quotaName, top.join(quotaName))
	if err != nil {
		return
	}
	defer d.close()
	if d.lock(unix.LOCK_EX) != nil {
		return // somebody counts: the next sweep has time
	}
	entries, _ := os.ReadDir(procPath(d.fd))
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && h.now.Sub(info.ModTime()) > 2*quota.Window {
			_ = unix.Unlinkat(d.fd, entry.Name(), 0)
		}
	}
}
