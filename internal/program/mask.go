package program

import (
	"fmt"

	"rolecall/internal/mask"
)

// Mask masks secrets in all that the stage writes from now on: the output of scripts,
// including one that already runs, log lines, and the error that the stage ends with.
// If Mask returns an error, no secret is masked, and no script must be started.
func (c *Call) Mask(secrets ...mask.Named) error {
	if err := c.masks.Add(secrets...); err != nil {
		return fmt.Errorf("mask the log: %w", err)
	}
	return nil
}

// flush writes what the masks hold back. An error cannot be reported anywhere.
func (c *Call) flush() { _ = c.masks.Close() }
