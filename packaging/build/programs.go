package build

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Architectures returns the names that Go has for the architectures of the packages.
func Architectures() []string { return []string{"amd64", "arm64"} }

// Programs builds all programs of the driver for an architecture, into the folder dir.
func (s Source) Programs(ctx context.Context, arch, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags="+s.flags(), "-o", absolute+"/", "./cmd/...")
	command.Dir = s.Root
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=", "GOEXPERIMENT=", "GOWORK=off")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("building the programs for %s: %w\n%s", arch, err, out)
	}
	return nil
}
