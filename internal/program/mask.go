package program

import (
	"fmt"

	"rolecall/internal/mask"
)

// Mask masks secrets in all that the stage writes from now on: what a script
// prints, one that runs already too, log lines, and the error that the stage ends
// with. If it returns an error, none is masked, and nothing must be run.
func (c *Call) Mask(secrets ...mask.Named) error {
	if err := c.masks.Add(secrets...); err != nil {
		return fmt.Errorf("mask the log: %w", err)
	}
	return nil
}

// flush writes what the masks hold back.
func (c *Call) flush() { _ = c.masks.Close() } // there is nobody left to tell
