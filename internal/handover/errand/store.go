package errand

import (
	"context"
	"fmt"

	"rolecall/internal/handover"
)

// Store is a store on other hosts, as the stages see it: each call is an errand of the program.
type Store struct{ name string }

// Bucket returns the store that is a bucket of S3.
func Bucket() Store { return Store{handover.S3} }

// Vault returns the store that is one of keys and values in Vault.
func Vault() Store { return Store{handover.Vault} }

// Name returns the store's name in a policy file.
func (s Store) Name() string { return s.name }

// Put keeps a parcel for later jobs of its scope: as a whole, or not at all. That of an earlier try
// of the job stays in the store, and counts no more.
func (Store) Put(ctx context.Context, w handover.Way, p handover.Parcel) error {
	return Give(ctx, orderOf(w), p, w.Service)
}

// List returns what jobs of a scope have handed over.
func (Store) List(ctx context.Context, w handover.Way, s handover.Scope) (handover.Listing, error) {
	o := orderOf(w)
	o.Scope = s
	taken, err := Take(ctx, o, w.Service)
	if err != nil {
		return handover.Listing{}, err
	}
	l := handover.Listing{Parcels: taken.Parcels}
	for _, r := range taken.Refused {
		l.Broken = append(l.Broken, fmt.Sprintf("the object %s of the store: %s", r.Object, r.Why))
	}
	if taken.Gone > 0 {
		l.Broken = append(l.Broken, fmt.Sprintf("%d objects are in the store no more: they have expired, or were deleted", taken.Gone))
	}
	return l, nil
}

// orderOf returns an order for the way of a job to its store.
func orderOf(w handover.Way) Order {
	o := Order{Settings: w.Settings, Token: w.Token}
	if c, ok := w.Credential(); ok && w.Settings.Store == handover.S3 {
		o.Session = &c
	}
	if w.Order != nil {
		o.Terms = w.Order.Terms
	}
	return o
}
