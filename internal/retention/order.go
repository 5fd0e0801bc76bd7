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
	Gone  []Going `json:"images"`
	Kept  int     `json:"kept"` // images that stay
}

// Add adds images that go.
func (s *Store) Add(going ...Going) {
	for _, g := range going {
		s.Gone = append(s.Gone, g)
		s.Freed += g.Bytes
	}
}
