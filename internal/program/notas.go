package program

import (
	"errors"

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

// NoContainers returns the fault.RootContainer which refuses a job with an image, or nil if a
// driver with the effective uid euid can make the namespaces of containers for a user.
func NoContainers(euid int) error {
	if euid == 0 {
		return nil
	}
	return fault.New(fault.RootContainer, errors.New("the runner of this job is not root, and only root can run containers"),
		"remove User= from the unit of GitLab Runner, then run\nsystemctl daemon-reload && systemctl restart gitlab-runner")
}
