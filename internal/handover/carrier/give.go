package carrier

import (
	"bytes"
	"context"
	"errors"

	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/shelf"
)

// give puts a parcel into the store. No other object of its name is replaced.
func (c carrier) give(ctx context.Context, p handover.Parcel) error {
	content, err := c.pack(p)
	if err != nil {
		return err
	}
	name := shelf.NameOf(p).String()
	err = c.folder.Put(ctx, name, content)
	if errors.Is(err, shelf.ErrThere) {
		return c.settle(ctx, name, p)
	}
	return err
}

// settle looks at the object that has the name of a parcel already. It may be that very parcel: a
// request that was made again finds what the one before it has written, whose answer was lost.
func (c carrier) settle(ctx context.Context, name string, p handover.Parcel) error {
	content, err := c.folder.Get(ctx, name)
	if err == nil {
		there, bad := c.unpack(name, content)
		if bad == nil && bytes.Equal(handover.Encode(there), handover.Encode(p)) {
			return nil
		}
		err = errors.New("it is not of this job")
	}
	return fault.New(fault.StoreDenied, errors.New("the store has an object with the name of this job's values"), "look at who can write to the store; remove the object").
		With("object", name).Detail("why", err.Error())
}

// pack returns a parcel as the store gets it.
func (c carrier) pack(p handover.Parcel) ([]byte, error) {
	content := handover.Encode(p)
	if len(c.keys) > 0 {
		var err error
		if content, err = c.keys.Seal(p); err != nil {
			return nil, err
		}
	}
	if len(content) > shelf.MaxObject {
		return nil, errors.New("what the job hands over is too large for the store")
	}
	return content, nil
}

// unpack returns the parcel in an object with that name. The error says why it is not one of a job
// of the scope, and has nothing of the content.
func (c carrier) unpack(name string, content []byte) (handover.Parcel, error) {
	if len(content) > shelf.MaxObject {
		return handover.Parcel{}, errors.New("it is larger than what a job can hand over")
	}
	p, err := c.read(content)
	if err == nil && shelf.NameOf(p).String() != name {
		err = errors.New("it is of another job, under a name that is not its own")
	}
	if err != nil {
		return handover.Parcel{}, err
	}
	return p, nil
}

// read reads an object. With keys, only what is sealed counts.
func (c carrier) read(content []byte) (handover.Parcel, error) {
	if len(c.keys) > 0 {
		return c.keys.Open(content, c.scope)
	}
	return handover.Decode(content, c.scope)
}
