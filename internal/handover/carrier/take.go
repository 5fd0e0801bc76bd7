package carrier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/errand"
	"rolecall/internal/handover/shelf"
)

// atOnce is how many objects are fetched at once.
const atOnce = 8

// maxRefused bounds how many objects an answer says that they were not taken.
const maxRefused = 20

// take returns what jobs have handed over, the newest of each. An object that is not
// what such a job has written is not taken, and nothing older of the job in its place.
func (c carrier) take(ctx context.Context) (errand.Taken, error) {
	entries, err := c.folder.List(ctx)
	if err != nil {
		return errand.Taken{}, err
	}
	var taken errand.Taken
	wanted := newest(entries, &taken)
	if len(entries) > shelf.MaxListed || len(wanted) > shelf.MaxJobs {
		return errand.Taken{}, fault.New(fault.StoreDenied, fmt.Errorf("more than %d jobs, or %d objects, are in the store for this job", shelf.MaxJobs, shelf.MaxListed),
			"look at who writes to the store")
	}
	if err := c.fetch(ctx, wanted, &taken); err != nil {
		return errand.Taken{}, err
	}
	return taken, nil
}

// newest returns the newest object of each job. It notes names that rolecall does not make.
func newest(entries []shelf.Entry, taken *errand.Taken) []shelf.Entry {
	byJob := map[string]shelf.Entry{}
	for _, e := range entries {
		name, ok := shelf.ParseName(e.Name)
		if !ok {
			refuse(taken, e.Name, "it is none of rolecall's")
			continue
		}
		other, seen := byJob[name.Job]
		before, _ := shelf.ParseName(other.Name)
		if !seen || before.ID < name.ID {
			byJob[name.Job] = e
		}
	}
	var all []shelf.Entry
	for _, e := range byJob {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b shelf.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// refuse notes an object that is not taken.
func refuse(taken *errand.Taken, name, why string) {
	if len(taken.Refused) < maxRefused {
		taken.Refused = append(taken.Refused, errand.Refused{Object: fmt.Sprintf("%.80q", name), Why: why})
	}
}

// fetched is an object, or why there is none.
type fetched struct {
	content []byte
	err     error
}

// fetch fetches the objects, a few at once, and unpacks them in their order. What the store does not
// give fails all: a job must not run without a value that was handed over to it.
func (c carrier) fetch(ctx context.Context, wanted []shelf.Entry, taken *errand.Taken) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	all := make([]fetched, len(wanted))
	free := make(chan struct{}, atOnce)
	var group sync.WaitGroup
	for i, e := range wanted {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			if all[i] = c.get(ctx, e); all[i].err != nil && !errors.Is(all[i].err, shelf.ErrGone) {
				cancel(all[i].err) // of several errors the first counts
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for i, e := range wanted {
		if err := c.add(e, all[i], taken); err != nil {
			return err
		}
	}
	return nil
}

// get fetches an object, unless it is too large.
func (c carrier) get(ctx context.Context, e shelf.Entry) (f fetched) {
	if e.Size <= shelf.MaxObject && ctx.Err() == nil {
		f.content, f.err = c.folder.Get(ctx, e.Name)
	}
	return f
}

// add adds what was fetched to what is taken.
func (c carrier) add(e shelf.Entry, f fetched, taken *errand.Taken) error {
	switch {
	case f.err != nil:
		taken.Gone++
		return nil
	case e.Size > shelf.MaxObject:
		refuse(taken, e.Name, "it is larger than what a job can hand over")
		return nil
	}
	p, err := c.unpack(e.Name, f.content)
	if err != nil {
		refuse(taken, e.Name, err.Error())
		return nil
	}
	taken.Parcels = append(taken.Parcels, p)
	return c.bound(*taken)
}

// bound fails if jobs have handed over more than one job can take.
func (c carrier) bound(taken errand.Taken) error {
	values := 0
	for _, p := range taken.Parcels {
		values += len(p.Values)
	}
	if values <= handover.MaxTaken*2 {
		return nil
	}
	return fault.New(fault.BadVariable, fmt.Errorf("the jobs of this pipeline have handed over more than %d values", handover.MaxTaken), "hand over fewer")
}
