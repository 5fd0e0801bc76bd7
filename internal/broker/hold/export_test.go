package hold

import "time"

// NewByClock is New with a clock.
func NewByClock(source Source, limits Limits, now func() time.Time) *Keeper {
	return newKeeper(source, limits, now)
}
