// Package cleanup is the stage that removes what the others made.
package cleanup

import (
	"errors"
	"os/signal"
	"slices"
	"syscall"

	"rolecall/internal/creds/store"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/stage"
)

// Run removes the env file and the folders of the job, wherever they may be: the
// config stage may have failed before it could say where. It needs the job's id
// only, and finding nothing is success. An error means that something is left.
func Run(c *stage.Call) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE) // nobody comes after it
	key, err := job.ReadKey(c.Env.ResponseFile)
	if err != nil {
		c.Log.Warnf("whose credentials to remove is not known, none are: %v", err)
		return nil
	}
	roots := store.Roots()
	if c.Env.Store != "" && !slices.Contains(roots, c.Env.Store) {
		roots = append(roots, c.Env.Store)
	}
	for _, root := range roots {
		err = errors.Join(err, store.Remove(root, key))
	}
	if err != nil {
		return fault.New(fault.Admin, err, "look at it on the runner's host")
	}
	return nil
}
