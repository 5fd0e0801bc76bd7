package inspect

import (
	"context"
	"fmt"
	"io"
	"time"

	"rolecall/internal/gate"
	"rolecall/internal/worktree"
)

// openTime bounds how long the folders of a work tree may be gone through.
const openTime = 10 * time.Second

// ready makes the folder of a job ready for a script, if that is what args ask for.
func ready(ctx context.Context, args []string, log io.Writer) (code int, done bool) {
	if len(args) != 2 {
		return 0, false
	}
	switch args[0] {
	case gate.OpenTree:
		return openTree(ctx, args[1], "work tree", log), true
	case gate.OpenCaches:
		return openTree(ctx, args[1], "caches", log), true
	case gate.ClearWay:
		return clearWay(ctx, args[1], log), true
	}
	return 0, false
}

// openTree gives this process's user back the rights to the folders of a tree, and removes
// FIFOs there. It says on log how many there were, of what. It returns the exit code: 0 if all
// folders are open.
func openTree(ctx context.Context, path, what string, log io.Writer) int {
	ctx, cancel := context.WithTimeoutCause(ctx, openTime, fmt.Errorf("there was no time for all folders in %s", openTime))
	defer cancel()
	done, err := worktree.Open(ctx, path)
	if done.Opened > 0 {
		_, _ = fmt.Fprintf(log, "rolecall: an earlier job has closed %d folders of the %s to its own user; they are open again\n", done.Opened, what)
	}
	if done.Traps > 0 {
		_, _ = fmt.Fprintf(log, "rolecall: an earlier job has left %d FIFOs in the %s, or links to FIFOs, which this job would wait at; they are removed\n", done.Traps, what)
	}
	if err != nil {
		_, _ = fmt.Fprintf(log, "rolecall: warning: folders of the %s that an earlier job has closed may be closed still: %v\n", what, err)
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
