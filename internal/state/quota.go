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

	"rolecall/internal/fault"
)

const (
	// quotaName is the folder of a root that has when credentials were asked for, in a file
	// for each tenant and project.
	quotaName = "requests"
	quotaNew  = "new" // the next content of a file
	quotaTime = time.Minute
	maxQuota  = 1 << 20 // of a file, in bytes
)

// Quota bounds how many credentials the jobs of a tenant and a project ask for on this host:
// a loop of jobs that are tried again and again must not use up what a server takes of an
// account.
type Quota struct {
	Tenant    string
	Project   int64
	PerMinute uint64 // 0: no bound, and nothing is counted
}

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
	if wait := q.wait(asked, n, now); bounded && wait > 0 {
		return q.refuse(wait)
	}
	return d.replace(q.name(), quotaNew, encode(append(asked, request{now, n})))
}

// name returns the name of the file. The name of a tenant is that of a file.
func (q Quota) name() string { return fmt.Sprintf("%s.%d", q.Tenant, q.Project) }

// request is how many credentials were asked for at a time.
type request struct {
	at time.Time
	n  int
}

// wait returns how long n more credentials must wait; 0: they need not. More than the bound
// itself need an empty minute.
func (q Quota) wait(asked []request, n int, now time.Time) time.Duration {
	sum := uint64(max(n, 0))
	for _, r := range asked {
		sum += uint64(r.n) //nolint:gosec // not negative
	}
	wait := time.Duration(0)
	for _, r := range asked {
		if sum <= q.PerMinute {
			break
		}
		sum -= uint64(r.n) //nolint:gosec // not negative
		wait = max(wait, r.at.Add(quotaTime).Sub(now))
	}
	return wait
}

// refuse returns the refusal to ask for more credentials before a time is over.
func (q Quota) refuse(wait time.Duration) error {
	return fault.New(fault.TooMany, errors.New("too many credentials were asked for in a minute"),
		"let jobs that are tried again wait; or let the runner's admin raise max_requests_per_minute of the policy file").
		Detail("limit", fmt.Sprintf("%d a minute, for tenant %q and project %d on this host", q.PerMinute, q.Tenant, q.Project)).
		With("try again", fmt.Sprintf("in %v", max(wait.Round(time.Second), time.Second)))
}

// asked returns what a file has of the last minute, the oldest first. A line that is broken
// does not count, nor does one that lies in the future: the clock was set back. A file that
// cannot be read is an error, and not one without requests.
func (d dir) asked(name string, now time.Time) ([]request, error) {
	content, err := d.read(name, maxQuota)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var all []request
	for line := range strings.Lines(string(content)) {
		var at int64
		var n int
		if _, err := fmt.Sscanf(line, "%d %d\n", &at, &n); err != nil || n < 1 {
			continue
		}
		if r := (request{time.UnixMilli(at), n}); now.Sub(r.at).Abs() < quotaTime {
			all = append(all, r)
		}
	}
	return all, nil
}

// encode returns the content of a file, as asked reads it.
func encode(all []request) []byte {
	var content bytes.Buffer
	for _, r := range all {
		fmt.Fprintf(&content, "%d %d\n", r.at.UnixMilli(), r.n)
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
		if info, err := entry.Info(); err == nil && h.now.Sub(info.ModTime()) > 2*quotaTime {
			_ = unix.Unlinkat(d.fd, entry.Name(), 0)
		}
	}
}
