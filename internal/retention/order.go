package retention

import (
	"slices"
	"time"
)

// Order says what goes from all stores of a folder.
type Order struct {
	Dir    string        // folder of the stores
	Rule   Rule          // of each store
	Wanted []string      // names of the stores that may have jobs; nil: any. All others go as a whole
	DryRun bool          // nothing goes
	Wait   time.Duration // for jobs that get images from a store; 0: such a store is passed over
}

// Wants reports whether a store may have jobs.
func (o Order) Wants(name string) bool {
	return o.Wanted == nil || slices.Contains(o.Wanted, name)
}

// Store is what an order means for a store, or has done there.
type Store struct {
	Name  string  `json:"store"` // of its tenant and trust class, such as alpha/protected
	Whole bool    `json:"whole"` // the store goes as a whole, since no job can use it
	Bytes uint64  `json:"bytes"` // of the store before
	Freed uint64  `json:"freed"` // of what goes
	Left  Left    `json:"left"`  // by broken pulls, and goes
	Gone  []Going `json:"images"`
	Kept  int     `json:"kept"` // images that stay
}

// Left is what broken pulls have left of images that a store does not have.
type Left struct {
	Layers int    `json:"layers"`
	Bytes  uint64 `json:"bytes"`
}

// IsChanged reports whether anything goes from the store.
func (s Store) IsChanged() bool {
	return s.Whole || s.Freed > 0 || len(s.Gone) > 0 || s.Left.Layers > 0
}

// AddLeft adds layers of no image that go.
func (s *Store) AddLeft(layers []string, sizes Sizes) {
	for _, layer := range layers {
		s.Left.Layers++
		s.Left.Bytes += sizes[layer]
		s.Freed += sizes[layer]
	}
}

// Add adds images that go.
func (s *Store) Add(going ...Going) {
	for _, g := range going {
		s.Gone = append(s.Gone, g)
		s.Freed += g.Bytes
	}
}
