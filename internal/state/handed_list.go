package state

import (
	"errors"
	"io/fs"
	"time"

	"rolecall/internal/handover"
)

// Handed is what a job has handed over on this host, without its values.
type Handed struct {
	Scope     handover.Scope
	Job       string
	JobID     int64
	At, Until time.Time
	Names     []string // of the values
	Secret    []bool   // which of them are secrets
	Bytes     int64    // of the file
	Spent     bool     // it has expired, and its values are overwritten
}

// AllHanded returns all that jobs have handed over below root, in the order of the files' names. The
// error is about files that cannot be read; the others are returned all the same.
func AllHanded(root string) (all []Handed, err error) {
	top, err := openRoot(root)
	if err != nil {
		return nil, present(err)
	}
	defer top.close()
	d, err := openDir(top.fd, handedName, top.join(handedName))
	if err != nil {
		return nil, present(err)
	}
	defer d.close()
	if err := d.lockFor(handedWait); err != nil {
		return nil, err
	}
	return d.allHanded(2)
}

// allHanded returns what the files have that lie so many folders below d.
func (d dir) allHanded(depth int) (all []Handed, problems error) {
	for _, name := range d.names() {
		if depth == 0 {
			one, err := d.handed(name)
			if err == nil && name != parcelNew {
				all = append(all, one)
			}
			problems = errors.Join(problems, err)
			continue
		}
		inner, err := openDir(d.fd, name, d.join(name))
		if err != nil {
			problems = errors.Join(problems, present(err))
			continue
		}
		more, err := inner.allHanded(depth - 1)
		inner.close()
		all, problems = append(all, more...), errors.Join(problems, err)
	}
	return all, problems
}

// handed returns what a file has.
func (d dir) handed(name string) (Handed, error) {
	content, err := d.read(name, maxParcel)
	if errors.Is(err, fs.ErrNotExist) || name == parcelNew {
		return Handed{}, nil
	}
	if err != nil {
		return Handed{}, err
	}
	p, err := handover.DecodeAny(content)
	if err != nil {
		return Handed{}, d.errorf(name, err)
	}
	h := Handed{Scope: p.Scope, Job: p.Job, JobID: p.JobID, At: p.At, Until: p.Until, Bytes: int64(len(content)), Spent: p.Spent}
	for _, v := range p.Values {
		h.Names, h.Secret = append(h.Names, v.Name), append(h.Secret, v.Secret)
	}
	return h, nil
}
