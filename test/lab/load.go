package lab

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Steadily calls ask with 0, 1, 2 and so on, so many times a second, each at its time however long
// the others take. It returns how long each took, from the time when it was due.
func Steadily(ctx context.Context, perSecond, calls int, ask func(n int) error) ([]time.Duration, error) {
	var running sync.WaitGroup
	took, errs := make([]time.Duration, calls), make([]error, calls)
	begin := time.Now()
	for n := range calls {
		due := begin.Add(time.Duration(n) * time.Second / time.Duration(perSecond))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
			running.Wait()
			return nil, ctx.Err()
		}
		running.Go(func() {
			errs[n] = ask(n)
			took[n] = time.Since(due)
		})
	}
	running.Wait()
	return took, errors.Join(errs...)
}
