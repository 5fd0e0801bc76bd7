package retention_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/retention"
)

// at returns a day of the test.
func at(day int) time.Time { return time.Date(2026, 1, day, 0, 0, 0, 0, time.UTC) }

// use returns an image that was used on a day; 0: nobody knows when.
func use(id string, day int, layers ...string) retention.Image {
	i := retention.Image{ID: id, Layers: layers}
	if day > 0 {
		i.Used = at(day)
	}
	return i
}

// live returns an image that a job uses.
func live(i retention.Image) retention.Image {
	i.Live = true
	return i
}

// TestChoose: what goes by age and size, in which order, and what goes with it.
func TestChoose(t *testing.T) {
	t.Parallel()
	sizes := retention.Sizes{"base": 100, "a": 10, "b": 20, "c": 40}
	a, b, c := use("a", 1, "base", "a"), use("b", 2, "base", "b"), use("c", 3, "c")
	all := []retention.Image{c, a, b}
	old, bytes := func(day int) retention.Rule { return retention.Rule{Before: at(day)} }, func(n uint64) retention.Rule { return retention.Rule{MaxBytes: n} }
	type gone map[string]uint64
	for name, test := range map[string]struct {
		rule   retention.Rule
		images []retention.Image
		want   []string
		bytes  gone
	}{
		"nothing is asked":           {retention.Rule{}, all, nil, gone{}},
		"none is old":                {old(1), all, nil, gone{}},
		"one is old":                 {old(2), all, []string{"a"}, gone{"a": 10}},
		"two are old":                {old(3), all, []string{"a", "b"}, gone{"a": 10, "b": 120}},
		"all are old":                {old(9), all, []string{"a", "b", "c"}, gone{"a": 10, "b": 120, "c": 40}},
		"as big as it may be":        {bytes(170), all, nil, gone{}},
		"a byte too big":             {bytes(169), all, []string{"a"}, gone{"a": 10}},
		"much too big":               {bytes(50), all, []string{"a", "b"}, gone{"a": 10, "b": 120}},
		"smaller than any":           {bytes(1), all, []string{"a", "b", "c"}, gone{"a": 10, "b": 120, "c": 40}},
		"by age and by size":         {retention.Rule{Before: at(2), MaxBytes: 159}, all, []string{"a", "b"}, gone{"a": 10, "b": 120}},
		"a job uses the oldest":      {bytes(149), []retention.Image{live(a), b, c}, []string{"b", "c"}, gone{"b": 20, "c": 40}},
		"a job uses the old one":     {old(9), []retention.Image{live(a), b, c}, []string{"b", "c"}, gone{"b": 20, "c": 40}},
		"jobs use all":               {retention.Rule{Before: at(9), MaxBytes: 1}, []retention.Image{live(a), live(b), live(c)}, nil, gone{}},
		"nobody knows when":          {retention.Rule{Before: at(9), MaxBytes: 1}, []retention.Image{use("a", 0, "base", "a"), b}, []string{"b"}, gone{"b": 20}},
		"used at the same time":      {bytes(169), []retention.Image{use("z", 1, "c"), a}, []string{"a"}, gone{"a": 110}},
		"a layer twice":              {old(9), []retention.Image{use("a", 1, "a"), use("b", 2, "a")}, []string{"a", "b"}, gone{"a": 0, "b": 10}},
		"layers that nobody has":     {bytes(100), []retention.Image{c}, []string{"c"}, gone{"c": 40}},
		"a layer that is not known":  {old(9), []retention.Image{use("a", 1, "unknown")}, []string{"a"}, gone{"a": 0}},
		"a time that is yet to come": {retention.Rule{Before: at(9), MaxBytes: 150}, []retention.Image{use("a", 20, "a"), b}, []string{"b"}, gone{"b": 120}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			sum := gone{}
			for _, g := range test.rule.Choose(test.images, sizes) {
				got = append(got, g.ID)
				sum[g.ID] = g.Bytes
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("what goes (- wanted, + got):\n%s", diff)
			}
			if diff := cmp.Diff(test.bytes, sum); diff != "" {
				t.Errorf("bytes (- wanted, + got):\n%s", diff)
			}
		})
	}
}

// TestLets: a store of which nothing can go need not be looked into.
func TestLets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		rule retention.Rule
		want bool
	}{
		{retention.Rule{}, false},
		{retention.Rule{MaxBytes: 10}, false},
		{retention.Rule{MaxBytes: 9}, true},
		{retention.Rule{Before: at(1)}, true},
	} {
		if got := test.rule.Lets(10); got != test.want {
			t.Errorf("%+v: %v, want %v", test.rule, got, test.want)
		}
	}
}

// TestWants: which stores may have jobs.
func TestWants(t *testing.T) {
	t.Parallel()
	o := retention.Order{Wanted: []string{"alpha/protected"}}
	for name, want := range map[string]bool{"alpha/protected": true, "alpha/unprotected": false, "beta/protected": false} {
		if got := o.Wants(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if !(retention.Order{}).Wants(name) {
			t.Errorf("%s is not wanted where all are", name)
		}
	}
}

// TestAddLeft: layers of no image are counted beside the images that go, and are no part of
// what images are judged by.
func TestAddLeft(t *testing.T) {
	t.Parallel()
	sizes := retention.Sizes{"a": 10, "left": 100, "empty": 0}
	var s retention.Store
	if s.IsChanged() {
		t.Error("nothing goes, and it is changed")
	}
	s.AddLeft([]string{"empty"}, sizes)
	if !s.IsChanged() {
		t.Error("a layer without a size goes, and nothing is changed")
	}
	s.AddLeft([]string{"left"}, sizes)
	s.Add(retention.Going{Bytes: 10})
	if want := (retention.Left{Layers: 2, Bytes: 100}); s.Left != want || s.Freed != 110 || len(s.Gone) != 1 {
		t.Errorf("%+v", s)
	}
	if diff := cmp.Diff(retention.Sizes{"a": 10}, sizes.Without([]string{"left", "empty", "none"})); diff != "" || len(sizes) != 3 {
		t.Errorf("(- wanted, + got):\n%s", diff)
	}
	for _, changed := range []retention.Store{{Whole: true}, {Freed: 1}, {Gone: make([]retention.Going, 1)}} {
		if !changed.IsChanged() {
			t.Errorf("%+v is not changed", changed)
		}
	}
}
