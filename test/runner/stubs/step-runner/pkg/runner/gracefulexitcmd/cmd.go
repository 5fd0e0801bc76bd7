// Package gracefulexitcmd has the type signatures that GitLab Runner needs of a package that is not public.
package gracefulexitcmd

import (
	"context"
	"os/exec"
	"time"
)

type Cmd struct{ *exec.Cmd }

func New(ctx context.Context, delay time.Duration, name string, args ...string) *Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.WaitDelay = delay
	return &Cmd{c}
}
