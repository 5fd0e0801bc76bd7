package errand

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/handover"
	"rolecall/internal/program"
)

// longest bounds how long the program may take: a stage waits a little longer, and then ends it.
const longest = 25 * time.Second

// install is what to do about programs that do not fit.
const install = "install all programs of one version of rolecall"

// maxAnswer bounds what the program may say, in bytes.
const maxAnswer = 64 << 20

// Give hands over the parcel of an order. Either all of it is in the store then, or the job has
// handed over nothing. Service is the environment of the runner's service.
func Give(ctx context.Context, o Order, p handover.Parcel, service []string) error {
	o.Parcel, o.Scope = &p, p.Scope
	a, err := ask(ctx, o, service)
	if err != nil {
		return err
	}
	return a.Fault.Err()
}

// Take takes what jobs of the scope have handed over.
func Take(ctx context.Context, o Order, service []string) (Taken, error) {
	o.Parcel = nil
	a, err := ask(ctx, o, service)
	if err != nil {
		return Taken{}, err
	}
	return a.Result(o.Scope)
}

// ask runs the program.
func ask(ctx context.Context, o Order, service []string) (Answer, error) {
	if o.Within <= 0 {
		o.Within = longest
	}
	order, err := json.Marshal(o)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Within+2*time.Second)
	defer cancel()
	cmd, err := program.Beside(ctx, Program)
	if err != nil {
		return Answer{}, err
	}
	said, problem := &bounded{max: maxAnswer}, &bounded{max: 4 << 10}
	cmd.Env = slices.Concat([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, program.Proxies(service), program.Certificates(service))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(order), said, problem
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		return Answer{}, failed(ctx, err, problem.kept.Bytes())
	}
	var a Answer
	if err := json.Unmarshal(said.kept.Bytes(), &a); err != nil {
		return Answer{}, fault.New(fault.Programs, errors.New("the program handover has not answered"), install)
	}
	return a, nil
}

// failed returns the error of a program that has not answered.
func failed(ctx context.Context, err error, said []byte) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission):
		return fault.New(fault.Programs, errors.New("the program handover cannot be started"), install).Detail("why", err.Error())
	case errors.Is(ctx.Err(), context.Canceled):
		return fault.New(fault.Interrupted, errors.New("the program handover was stopped"), "")
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fault.New(fault.NoStore, errors.New("the store of handed-over values did not answer in time"), "look at the store, and at the network, if it lasts")
	}
	return fmt.Errorf("the program %s: %w%s", Program, err, strings.TrimRight(" "+string(said), " \n"))
}

// bounded keeps what is written to it, up to its bound.
type bounded struct {
	kept bytes.Buffer // no part of its own: that could be read into past the bound
	max  int
}

// Write keeps a piece. It fails if that would be too much, which ends the program.
func (b *bounded) Write(piece []byte) (int, error) {
	if b.kept.Len()+len(piece) > b.max {
		return 0, io.ErrShortBuffer
	}
	return b.kept.Write(piece)
}
