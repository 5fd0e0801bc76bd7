package prepare_test

import (
	"context"

	"rolecall/internal/backend"
	"rolecall/test/toy"
)

// box is a toy that keeps what it is asked, and gives what it is told.
type box struct {
	*toy.Backend

	ready bool
	asked []backend.Spec
	owner *backend.Owner
	fails error
	none  bool     // it takes no job
	after func()   // called when a job is placed; nil: nothing is
	given []string // a folder that was furnished, with the files of tools
}

func (b *box) Ready() { b.ready = true }

func (b *box) Takes(backend.Spec) bool { return !b.none }

func (b *box) Place(ctx context.Context, s backend.Spec) (backend.State, *backend.Owner, error) {
	b.asked = append(b.asked, s)
	state, _, _ := b.Backend.Place(ctx, s)
	if b.after != nil {
		b.after()
	}
	return state, b.owner, b.fails
}
