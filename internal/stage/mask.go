package stage

import (
	"fmt"
	"slices"

	"rolecall/internal/mask"
)

// Mask masks secrets in all that the stage writes from now on: what a script
// prints, log lines, and the error that the stage ends with. Where it returns an
// error it cannot, and nothing must be run.
func (c *Call) Mask(secrets ...mask.Secret) error {
	needles, err := mask.NewNeedles(secrets...)
	if err != nil {
		return fmt.Errorf("mask the log: %w", err)
	}
	stdout, stderr := mask.NewWriter(c.Stdout, needles), mask.NewWriter(c.Stderr, needles)
	c.masked = append(c.masked, stdout, stderr)
	c.Stdout, c.Stderr = stdout, stderr
	c.Log.SetOutput(stderr)
	return nil
}

// flush writes what the masks hold back, the outermost first.
func (c *Call) flush() {
	for _, w := range slices.Backward(c.masked) {
		_ = w.Close() // there is nobody left to tell
	}
}
