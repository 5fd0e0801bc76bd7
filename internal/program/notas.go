package program

import (
	"rolecall/internal/account"
	"rolecall/internal/fault"
)

// NotAs returns a function that returns the fault.BadUser which refuses a job of a unix
// user, or nil if a driver with the effective uid euid can run scripts as that user. A
// user that the host does not have is for the backend to refuse.
func NotAs(euid int) func(user string) error {
	return func(user string) error {
		a, err := account.Lookup(user)
		if err != nil {
			return nil //nolint:nilerr // the backend says more of it
		}
		if err := a.RunnableBy(euid); err != nil {
			return fault.New(fault.BadUser, err, "remove User= from its unit, and restart the service")
		}
		return nil
	}
}
