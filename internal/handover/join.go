package handover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// skew is how far the clocks of two hosts may be apart.
const skew = 5 * time.Minute

// Taken is what a job takes of the parcels of its scope.
type Taken struct {
	Values   []From     // sorted by name
	Withheld []Withheld // sorted by name
}

// From is a value with the name of a job that has handed it over.
type From struct {
	Value

	Job string
}

// Withheld is a name whose value is not given to the job.
type Withheld struct {
	Name string
	Why  string   // without a value
	Jobs []string // names of the jobs that have handed it over, sorted
}

// String says what is withheld, and why.
func (w Withheld) String() string { return w.Name + ": " + w.Why }

// Join returns what the job with the name self takes of parcels, which must have its scope. Of
// several parcels of one job the newest counts: a job that is retried replaces its earlier
// self, and takes nothing of it. What has expired is withheld, and a name with two different
// values.
func Join(parcels []Parcel, self string, now time.Time) Taken {
	byName := map[string][]From{}
	var t Taken
	for _, p := range newest(parcels, self) {
		why := p.stale(now)
		for _, v := range p.Values {
			if why != "" {
				t.Withheld = append(t.Withheld, Withheld{v.Name, why, []string{p.Job}})
				continue
			}
			byName[v.Name] = append(byName[v.Name], From{v, p.Job})
		}
	}
	for name, all := range byName {
		t.add(name, all)
	}
	slices.SortFunc(t.Values, func(a, b From) int { return cmp.Compare(a.Name, b.Name) })
	t.bound()
	t.Withheld = slices.DeleteFunc(t.Withheld, func(w Withheld) bool { return t.has(w.Name) })
	slices.SortStableFunc(t.Withheld, func(a, b Withheld) int { return cmp.Compare(a.Name, b.Name) })
	return t
}

// newest returns the newest parcel of each job but self, in the order of the jobs' names.
func newest(parcels []Parcel, self string) []Parcel {
	all := slices.DeleteFunc(slices.Clone(parcels), func(p Parcel) bool { return p.Job == self })
	slices.SortFunc(all, func(a, b Parcel) int { return cmp.Or(cmp.Compare(a.Job, b.Job), cmp.Compare(b.JobID, a.JobID)) })
	return slices.CompactFunc(all, func(a, b Parcel) bool { return a.Job == b.Job })
}

// stale returns why a parcel is not good at a time; it is empty if it is.
func (p Parcel) stale(now time.Time) string {
	switch {
	case p.Spent || !now.Before(p.Until):
		return fmt.Sprintf("what job %q has handed over expired at %s", p.Job, p.Until.UTC().Format(time.RFC3339))
	case p.At.Sub(now) > skew:
		return fmt.Sprintf("job %q has handed it over at %s, which is not yet: the clocks of the hosts differ", p.Job, p.At.UTC().Format(time.RFC3339))
	}
	return ""
}

// add adds what all jobs have handed over under one name.
func (t *Taken) add(name string, all []From) {
	one := all[0]
	for _, other := range all[1:] {
		if other.Value.Value.Reveal() != one.Value.Value.Reveal() {
			t.Withheld = append(t.Withheld, clash(name, all))
			return
		}
		one.Secret = one.Secret || other.Secret
	}
	t.Values = append(t.Values, one)
}

// bound withholds all values if they are too many, or too long in all, for the environment of a
// script.
func (t *Taken) bound() {
	size := 0
	for _, v := range t.Values {
		size += len(v.Name) + len("=") + len(v.Value.Value.Reveal()) + len("\n")
	}
	if len(t.Values) <= MaxTaken && size <= MaxEnv {
		return
	}
	t.Withhold(func(From) string {
		return fmt.Sprintf("the jobs of this pipeline have handed over %d values of %d bytes, and a job can take %d of %d bytes", len(t.Values), size, MaxTaken, MaxEnv)
	})
}

// Withhold takes from the job the values for which why has a reason.
func (t *Taken) Withhold(why func(From) string) {
	var kept []From
	for _, v := range t.Values {
		reason := why(v)
		if reason == "" {
			kept = append(kept, v)
			continue
		}
		t.Withheld = append(t.Withheld, Withheld{v.Name, reason, []string{v.Job}})
	}
	t.Values = kept
	slices.SortStableFunc(t.Withheld, func(a, b Withheld) int { return cmp.Compare(a.Name, b.Name) })
}

// clash withholds a name that jobs have handed over with different values.
func clash(name string, all []From) Withheld {
	var jobs, quoted []string
	for _, v := range all {
		jobs, quoted = append(jobs, v.Job), append(quoted, fmt.Sprintf("%q", v.Job))
	}
	return Withheld{name, "jobs " + strings.Join(quoted, " and ") + " have handed it over with different values", jobs}
}

// has reports whether the job gets a value of that name.
func (t Taken) has(name string) bool {
	return slices.ContainsFunc(t.Values, func(v From) bool { return v.Name == name })
}

// Missing returns those of names that the job does not get, each with the reason; none is the
// reason for a name that no job has handed over.
func (t Taken) Missing(names []string, none string) []Withheld {
	var missing []Withheld
	for _, name := range names {
		i := slices.IndexFunc(t.Withheld, func(w Withheld) bool { return w.Name == name })
		switch {
		case t.has(name):
		case i >= 0:
			missing = append(missing, t.Withheld[i])
		default:
			missing = append(missing, Withheld{Name: name, Why: none})
		}
	}
	return missing
}
