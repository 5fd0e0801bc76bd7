package cgroup_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

// play plays a part and returns how it ended.
func play(name string) error {
	var path string
	var job cgroup.Name
	switch name {
	case "own":
		return live()
	case "own without clone3":
		if err := kit.Deny(unix.ENOSYS, kit.Call{Number: unix.SYS_CLONE3}); err != nil {
			return err
		}
		return live()
	case "sleeper", "stay", "create in full":
		if _, err := fmt.Sscan(os.Getenv("ARGS"), &job); err != nil {
			return err
		}
		return map[string]func(cgroup.Name) error{"sleeper": sleeper, "stay": stay, "create in full": createInFull}[name](job)
	}
	if _, err := fmt.Sscan(os.Getenv("ARGS"), &path, &job); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if name == "kill" {
		parent, err := cgroup.At(path)
		if err != nil {
			return err
		}
		return parent.Remove(ctx, job)
	}
	if name == "create" {
		parent, err := cgroup.OwnOf(cgroup.V1)
		if err == nil {
			_, err = parent.Create(ctx, job)
		}
		return err
	}
	if name == "kill without descriptors" {
		if err := kit.Deny(unix.ENOSYS, kit.Call{Number: unix.SYS_PIDFD_OPEN}); err != nil {
			return err
		}
	}
	parent, err := cgroup.OwnOf(cgroup.V2)
	if err != nil {
		return err
	}
	return cgroup.KillSlowly(ctx, parent, job)
}

// live starts and kills a job in the process's own cgroup, and prints the cgroup's kind
// and path.
func live() error {
	parent, err := cgroup.Own()
	if err != nil {
		return err
	}
	job := newJob()
	g, err := parent.Create(context.Background(), job)
	if err != nil {
		return err
	}
	command := exec.Command("sleep", "1000")
	command.SysProcAttr = &syscall.SysProcAttr{}
	if err := g.Fork(command.SysProcAttr, command.Start); err != nil {
		return err
	}
	pids, err := g.Processes()
	if err != nil || len(pids) != 1 || pids[0] != command.Process.Pid {
		return fmt.Errorf("processes %v, %w", pids, err)
	}
	if err := parent.Remove(context.Background(), job); err != nil {
		return err
	}
	if err := command.Wait(); command.ProcessState.String() != "signal: killed" {
		return fmt.Errorf("not killed: %w", err)
	}
	fmt.Println(parent.Kind(), parent.Path())
	return nil
}

// sleeper starts a job in the process's own cgroup, prints the id of its process,
// and waits.
func sleeper(job cgroup.Name) error {
	parent, err := cgroup.OwnOf(cgroup.V1)
	if err != nil {
		return err
	}
	g, err := parent.Create(context.Background(), job)
	if err != nil {
		return err
	}
	command := exec.Command("sleep", "1000")
	command.SysProcAttr = &syscall.SysProcAttr{}
	if err := g.Fork(command.SysProcAttr, command.Start); err != nil {
		return err
	}
	fmt.Println(job, command.Process.Pid)
	return command.Wait()
}
