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

// Masked returns text without the secrets of Mask, for what does not go through the stage's
// streams.
func (c *Call) Masked(text string) string { return c.masks.Text(text) }

// Marks returns how many times the stage has masked a secret in what it has written.
func (c *Call) Marks() int64 { return c.masks.Marks() }

// flush writes what the masks hold back. An error cannot be reported anywhere.
func (c *Call) flush() { _ = c.masks.Close() }
