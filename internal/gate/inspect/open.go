package inspect

import (
	"context"
	"fmt"
	"io"
	"time"

	"rolecall/internal/worktree"
)

// openTime bounds how long the folders of a work tree may be gone through.
const openTime = 10 * time.Second

// openTree gives this process's user back the rights to the folders of a work tree, and
// says on log how many it had closed. It returns the exit code: 0 if all are open.
func openTree(ctx context.Context, path string, log io.Writer) int {
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, fmt.Errorf("there was no time for all folders in %s", openTime))
	defer cancel()
	changed, err := worktree.Open(ctx, path)
	if changed > 0 {
		_, _ = fmt.Fprintf(log, "rolecall: an earlier job has closed %d folders of the work tree to its own user; they are open again\n", changed)
	}
	if err != nil {
		_, _ = fmt.Fprintf(log, "rolecall: warning: folders of the work tree that an earlier job has closed may be closed still: %v\n", err)
		return 1
	}
	return 0
}

// clearWay makes way for the folders of a work tree, and says on log what it has removed. It
// returns the exit code: 0 if nothing is in the way.
func clearWay(ctx context.Context, path string, log io.Writer) int {
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, fmt.Errorf("there was no time for all files in %s", openTime))
	defer cancel()
	cleared, err := worktree.Clear(ctx, path)
	for _, one := range cleared {
		_, _ = fmt.Fprintf(log, "rolecall: an earlier job has put something in the place of the folder %q; it is out of the way\n", one)
	}
	if err != nil {
		_, _ = fmt.Fprintf(log, "rolecall: warning: what an earlier job has left is in the way of this one: %v\n", err)
		return 1
	}
	return 0
}
