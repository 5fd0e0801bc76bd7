package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/job"
	"rolecall/internal/mask"
)

const (
	// heldName is the folder of a root that has how credentials are revoked, in a file for each:
	// it must outlive the folder of its job if a server does not answer at the job's end.
	heldName   = "revocations"
	failedMark = ".failed" // ends the name of a file whose credential could not be revoked yet
	maxHeld    = 1 << 20   // of a file, in bytes
	// heldTime is how long a file of a credential is kept whose end is not known.
	heldTime = 24 * time.Hour
)

// Held is a credential that must be revoked when its job ends.
type Held struct {
	ID     job.ID
	Tenant string
	Trail  audit.Trail // to the audit log
	Handle creds.Handle
	Failed bool // it could not be revoked before
}

// heldJSON is the content of a file: the terms are in the clear.
type heldJSON struct {
	Proof    string      `json:"proof"` // of the job.Key
	Tenant   string      `json:"tenant"`
	Audit    audit.Trail `json:"audit,omitzero"`
	Provider string      `json:"provider"`
	Name     string      `json:"name,omitempty"`
	Terms    string      `json:"terms"`
	Until    time.Time   `json:"until,omitzero"`
}

// Hold keeps how a credential of the job is revoked, until Revoke has done that or the
// credential has expired. If it fails, nothing is kept.
func (f *Folder) Hold(h creds.Handle) error {
	if h.Until.IsZero() {
		h.Until = time.Now().Add(heldTime)
	}
	content, err := json.Marshal(heldJSON{f.record.Proof, f.record.Tenant, f.record.Audit, h.Provider, h.Name, h.Terms.Reveal(), h.Until.UTC()})
	if err == nil && len(content) > maxHeld {
		err = fmt.Errorf("what revokes a credential of %s takes more than %d bytes", h.Provider, maxHeld)
	}
	if err != nil {
		return err
	}
	d, err := f.root.makeDir(heldName)
	if err != nil {
		return err
	}
	defer d.close()
	return d.create(f.id.String()+newName(), content)
}

// Holds reports whether Revoke has something to do for a job, or for any job if the id of the key
// is 0.
func Holds(root string, key job.Key) bool {
	top, d := openHeld(root)
	if top == nil {
		return false
	}
	defer top.close()
	defer d.close()
	return len(d.heldOf(key)) > 0
}

// Revoke calls revoke for each credential of a job that must be revoked, or, if the id of the key
// is 0, of all jobs that have ended or are dead. If that succeeds, or if the credential has
// expired, it forgets the credential; else the next Revoke tries again. An error is about what
// cannot be read or removed. If another process revokes a credential at the time, Revoke leaves
// it to that process.
func Revoke(ctx context.Context, root string, key job.Key, revoke func(context.Context, Held) error) error {
	top, d := openHeld(root)
	if top == nil {
		return nil
	}
	defer top.close()
	defer d.close()
	var problems error
	for _, name := range d.heldOf(key) {
		if ctx.Err() != nil {
			break
		}
		if id := heldID(name); key.ID == 0 && !ended(*top, id) {
			continue
		}
		problems = errors.Join(problems, d.errorf(name, d.revoke(ctx, name, key, revoke)))
	}
	return problems
}

// openHeld opens a root and its folder of what must be revoked. It returns nil if there is
// nothing.
func openHeld(root string) (*dir, dir) {
	top, err := openOwn(root)
	if top == nil || err != nil {
		return nil, dir{}
	}
	d, err := openDir(top.fd, heldName, top.join(heldName))
	if err != nil {
		top.close()
		return nil, dir{}
	}
	return top, d
}

// heldOf returns the names of the files of a job, or of all jobs.
func (d dir) heldOf(key job.Key) []string {
	entries, _ := os.ReadDir(procPath(d.fd))
	var names []string
	for _, entry := range entries {
		if id := heldID(entry.Name()); id != 0 && (key.ID == 0 || key.ID == id) {
			names = append(names, entry.Name())
		}
	}
	return names
}

// heldID returns the job of a file, and 0 if it is no file of Hold.
func heldID(name string) job.ID {
	id, _, _ := strings.Cut(name, ".")
	return jobNamed(id)
}

// ended reports whether a job has no folder below top, has begun to end, or is dead.
func ended(top dir, id job.ID) bool {
	d, err := find(top, id)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer d.close()
	f := &Folder{id: id, root: top, dir: d}
	return f.dead(newHost())
}

// revoke revokes the credential of a file.
func (d dir) revoke(ctx context.Context, name string, key job.Key, revoke func(context.Context, Held) error) error {
	lock, _, err := openat(d.fd, name, d.join(name), unix.S_IFREG, unix.O_RDONLY)
	if err != nil {
		return present(err)
	}
	defer dir{fd: lock}.close()
	if err := unix.Flock(lock, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil //nolint:nilerr // another process revokes it
	}
	content, err := d.read(name, maxHeld)
	if err != nil {
		return present(err)
	}
	var form heldJSON
	if json.Unmarshal(content, &form) != nil {
		return errors.Join(errors.New("broken; the credential lives until it expires"), d.shred(name))
	}
	if key.Proof != "" && form.Proof != key.Proof {
		return nil // of a job of another GitLab server
	}
	if held := form.held(name); time.Now().Before(form.Until) && revoke(ctx, held) != nil {
		return d.markFailed(name, held)
	}
	return d.shred(name)
}

// held returns what a file says.
func (form heldJSON) held(name string) Held {
	return Held{
		ID: heldID(name), Tenant: form.Tenant, Trail: form.Audit, Failed: strings.HasSuffix(name, failedMark),
		Handle: creds.Handle{Provider: form.Provider, Name: form.Name, Terms: mask.NewSecret(form.Terms), Until: form.Until},
	}
}

// markFailed notes in the name of a file that its credential could not be revoked.
func (d dir) markFailed(name string, held Held) error {
	if held.Failed {
		return nil
	}
	return d.move(name, d, name+failedMark)
}
