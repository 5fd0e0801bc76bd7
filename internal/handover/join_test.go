package handover_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rolecall/internal/handover"
	"rolecall/internal/mask"
)

// now is the time of the tests.
func now() time.Time { return time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC) }

// parcel returns what a job has handed over an hour ago, for a day. Entries are NAME=value, with
// a * where they are secrets.
func parcel(job string, id int64, entries ...string) handover.Parcel {
	p := handover.Parcel{Job: job, JobID: id, At: now().Add(-time.Hour), Until: now().Add(23 * time.Hour)}
	for _, entry := range entries {
		name, value, _ := strings.Cut(entry, "=")
		value, secret := strings.CutSuffix(value, "*")
		p.Values = append(p.Values, handover.Value{Name: name, Value: mask.NewSecret(value), Secret: secret})
	}
	return p
}

// describe returns what a job takes.
func describe(t handover.Taken) string {
	var all []string
	for _, v := range t.Values {
		all = append(all, texts([]handover.Value{v.Value})+" of "+v.Job)
	}
	for _, w := range t.Withheld {
		all = append(all, fmt.Sprintf("%s %q", w, w.Jobs))
	}
	return strings.Join(all, "; ")
}

func TestJoin(t *testing.T) {
	t.Parallel()
	old, early, late := parcel("a", 1, "A=1"), parcel("a", 1, "A=1"), parcel("a", 1, "A=1")
	old.Until, early.At, late.At = now(), now().Add(skew), now().Add(skew+time.Second)
	for name, test := range map[string]struct {
		parcels []handover.Parcel
		want    string
	}{
		"none":                        {nil, ""},
		"two jobs":                    {[]handover.Parcel{parcel("b", 2, "B=2"), parcel("a", 1, "A=1*", "C=3")}, "A=1* of a; B=2 of b; C=3 of a"},
		"retried":                     {[]handover.Parcel{parcel("a", 9, "A=2"), parcel("a", 10, "A=3"), parcel("a", 1, "A=1", "B=1")}, "A=3 of a"},
		"retried, and nothing":        {[]handover.Parcel{parcel("a", 9, "A=2"), parcel("a", 10)}, ""},
		"its earlier self":            {[]handover.Parcel{parcel("self", 1, "A=1"), parcel("a", 2, "B=1")}, "B=1 of a"},
		"its earlier self and others": {[]handover.Parcel{parcel("self", 1, "A=1"), parcel("a", 2, "A=2")}, "A=2 of a"},
		"one value":                   {[]handover.Parcel{parcel("a", 1, "A=1"), parcel("b", 2, "A=1")}, "A=1 of a"},
		"a secret of one":             {[]handover.Parcel{parcel("a", 1, "A=1"), parcel("b", 2, "A=1*")}, "A=1* of a"},
		"two values":                  {[]handover.Parcel{parcel("b", 2, "A=2"), parcel("a", 1, "A=1", "B=1")}, `B=1 of a; A: jobs "a" and "b" have handed it over with different values ["a" "b"]`},
		"three jobs, two values":      {[]handover.Parcel{parcel("a", 1, "A=1"), parcel("b", 2, "A=1"), parcel("c", 3, "A=2")}, `A: jobs "a" and "b" and "c" have handed it over with different values ["a" "b" "c"]`},
		"expired":                     {[]handover.Parcel{old}, `A: what job "a" has handed over expired at 2026-02-03T04:05:06Z ["a"]`},
		"expired, and of another":     {[]handover.Parcel{old, parcel("b", 2, "A=2")}, "A=2 of b"},
		"of a clock that is ahead":    {[]handover.Parcel{late}, `A: job "a" has handed it over at 2026-02-03T04:10:07Z, which is not yet: the clocks of the hosts differ ["a"]`},
		"a little ahead":              {[]handover.Parcel{early}, "A=1 of a"},
	} {
		if got := describe(handover.Join(test.parcels, "self", now())); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// skew is how far clocks may be apart.
const skew = 5 * time.Minute

// TestMissing: each name that a job needs and does not get has a reason.
func TestMissing(t *testing.T) {
	t.Parallel()
	taken := handover.Join([]handover.Parcel{parcel("a", 1, "A=1", "B=1"), parcel("b", 2, "B=2")}, "", now())
	got := fmt.Sprint(taken.Missing([]string{"A", "B", "C"}, "no job has"))
	if want := `[B: jobs "a" and "b" have handed it over with different values C: no job has]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestDecode: only what Encode has written for the same scope is read.
func TestDecode(t *testing.T) {
	t.Parallel()
	scope := handover.Scope{Issuer: "https://gitlab.example.com", Tenant: "alpha", Project: "42", Pipeline: "9", Class: "protected"}
	p := parcel("make: [alpha]", 7, "A=<1>", "B=12345678*")
	p.Scope = scope
	content := handover.Encode(p)
	got, err := handover.Decode(content, scope)
	if err != nil || texts(got.Values) != texts(p.Values) || got.Job != p.Job || got.JobID != 7 || !got.At.Equal(p.At) || !got.Until.Equal(p.Until) || got.Scope != scope {
		t.Errorf("%+v, %v", got, err)
	}
	other := func(change func(*handover.Scope)) handover.Scope {
		s := scope
		change(&s)
		return s
	}
	for _, s := range []handover.Scope{
		{},
		other(func(s *handover.Scope) { s.Issuer = "https://other" }),
		other(func(s *handover.Scope) { s.Tenant = "beta" }),
		other(func(s *handover.Scope) { s.Project = "43" }),
		other(func(s *handover.Scope) { s.Pipeline = "8" }),
		other(func(s *handover.Scope) { s.Class = "unprotected" }),
	} {
		if _, err := handover.Decode(content, s); err == nil || !strings.HasPrefix(err.Error(), "it is of jobs of another") {
			t.Errorf("%+v: %v", s, err)
		}
	}
	for _, change := range [][2]string{
		{`"format":1`, `"format":2`}, {`"format":1`, `"other":1`}, {`"name":"A"`, `"name":"PATH"`}, {`"name":"A"`, `"name":"B"`}, {"12345678", "1234567"}, {"<1>", "\\u0000"}, {"{", ""},
	} {
		if _, err := handover.Decode([]byte(strings.Replace(string(content), change[0], change[1], 1)), scope); err == nil || strings.Contains(err.Error(), "1234567") {
			t.Errorf("%q: %v", change, err)
		}
	}
}

// TestJoinBound: more than the environment of a script can bear is withheld, all of it.
func TestJoinBound(t *testing.T) {
	t.Parallel()
	at := now()
	var parcels []handover.Parcel
	for i := range 5 {
		p := handover.Parcel{Job: fmt.Sprint("job ", i), JobID: 1, At: at, Until: at.Add(time.Hour)}
		p.Values = []handover.Value{{Name: fmt.Sprint("A", i), Value: mask.NewSecret(strings.Repeat("x", 16000))}}
		parcels = append(parcels, p)
	}
	if got := handover.Join(parcels[:4], "self", at); len(got.Values) != 4 || len(got.Withheld) > 0 {
		t.Errorf("%d values, withheld %v", len(got.Values), got.Withheld)
	}
	got := handover.Join(parcels, "self", at)
	const why = "the jobs of this pipeline have handed over 5 values of 80020 bytes, and a job can take 1000 of 65536 bytes"
	if len(got.Values) > 0 || len(got.Withheld) != 5 || got.Withheld[0].Why != why {
		t.Errorf("%v, withheld %v", got.Values, got.Withheld)
	}
}

// TestSpent: of a parcel that a store has emptied the names are withheld, as expired, and it survives
// the form that stores keep.
func TestSpent(t *testing.T) {
	t.Parallel()
	at := now()
	p := handover.Parcel{Job: "a", JobID: 1, At: at, Until: at.Add(time.Hour), Values: []handover.Value{{Name: "A", Value: mask.NewSecret("the value")}}}
	content := handover.Encode(p.Spend())
	back, err := handover.Decode(content, p.Scope)
	if err != nil || strings.Contains(string(content), "the value") {
		t.Fatalf("%v of %s", err, content)
	}
	if got := handover.Join([]handover.Parcel{back}, "self", at); len(got.Values) > 0 || len(got.Withheld) != 1 || !strings.Contains(got.Withheld[0].Why, "expired at") {
		t.Errorf("%+v", got)
	}
}
