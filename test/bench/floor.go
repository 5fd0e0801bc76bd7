package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"rolecall/test/lab"
)

// floor is four Go programs that do nothing but what the custom executor asks of a driver. What
// the driver takes beyond them is its own.
type floor struct{ config, prepare, run, cleanup string }

// buildFloor builds the floor driver with the driver's own flags.
func (b bencher) buildFloor(ctx context.Context) (floor, error) {
	var f floor
	for name, path := range map[string]*string{"config": &f.config, "prepare": &f.prepare, "run": &f.run, "cleanup": &f.cleanup} {
		*path = filepath.Join(b.dir, "floor", name)
		if err := build(ctx, *path, "./test/bench/floor/"+name); err != nil {
			return f, err
		}
	}
	return f, nil
}

// build builds a program with the driver's own flags. It is copied once: a file that a linker has
// just written starts more slowly than the driver's own, which was written long ago.
func build(ctx context.Context, path, source string) error {
	fresh := path + ".fresh"
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", fresh, source)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", source, err, out)
	}
	content, err := os.ReadFile(fresh)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o700)
}

// driver returns the floor driver as a runner starts it.
func (f floor) driver() lab.Driver {
	return lab.Driver{Config: []string{f.config}, Prepare: []string{f.prepare}, Run: []string{f.run}, Cleanup: []string{f.cleanup}}
}
