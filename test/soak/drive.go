package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// drive runs the tasks to their ends. It returns how many of the processes that jobs leave
// behind were there at once, which shows that they can be found.
func (w *world) drive(ctx context.Context, tasks []*task) (int, error) {
	killer := &killer{world: w, victims: make(map[string]*task)}
	for _, t := range tasks {
		t.run = w.gitlab.Enqueue(t.kind.token(), t.job)
		if program := t.kind.victim(); program != "" {
			killer.victims[fmt.Sprint(t.run.ID())] = t
		}
	}
	hunting, stop := context.WithCancel(ctx)
	var hunt, all sync.WaitGroup
	hunt.Go(func() { killer.hunt(hunting) })
	errs := make([]error, len(tasks))
	for i, t := range tasks {
		all.Go(func() { errs[i] = t.follow(ctx) })
	}
	all.Wait()
	stop()
	hunt.Wait()
	return killer.seen, errors.Join(errs...)
}

// follow follows a job to its end, and stops it when it is time.
func (t *task) follow(ctx context.Context) (err error) {
	if t.kind == cancelled || t.kind == aborted {
		if err := t.run.WaitPicked(ctx); err != nil {
			return err
		}
		select {
		case <-time.After(t.after):
		case <-ctx.Done():
		}
		if t.kind == cancelled {
			t.run.Cancel()
		} else {
			t.run.Abort()
		}
	}
	t.result, err = t.run.Wait(ctx)
	return err
}

// token is that of the runner for jobs of that kind.
func (k kind) token() string {
	if k == compared {
		return shellToken
	}
	return driverToken
}

// victim is the program that is killed under a job of that kind.
func (k kind) victim() string {
	program, _ := strings.CutSuffix(string(k), " killed")
	if program == string(k) {
		return ""
	}
	return program
}

// killer kills a stage under each of its victims, by their ids, once.
type killer struct {
	*world
	victims map[string]*task
	seen    int // the most of the processes that jobs leave behind, at once
}

// hunt looks for the victims' stages until there are none to be killed.
func (k *killer) hunt(ctx context.Context) {
	var kills sync.WaitGroup
	defer kills.Wait()
	for round := 0; ctx.Err() == nil; round++ {
		if round%500 == 0 {
			k.seen = max(k.seen, len(k.marked()))
		}
		if len(k.victims) > 0 {
			k.look(ctx, &kills)
		}
		sleep(ctx, time.Millisecond)
	}
}

// look looks once at what the runner has started.
func (k *killer) look(ctx context.Context, kills *sync.WaitGroup) {
	for _, folder := range k.children() {
		program, _ := os.Readlink(filepath.Join(folder, "exe"))
		if !slices.Contains([]string{"config", "prepare", "run", "cleanup"}, filepath.Base(program)) {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(folder))
		// The handle is of this very process, whatever its number is used for later.
		process, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		t := k.of(folder, filepath.Base(program))
		if t == nil {
			_ = process.Release()
			continue
		}
		delete(k.victims, fmt.Sprint(t.run.ID()))
		kills.Go(func() {
			sleep(ctx, t.after)
			t.killed = process.Kill() == nil
		})
	}
}

// of returns the task whose stage a process is that is to be killed. Of run it is the one with
// the job's script.
func (k *killer) of(folder, program string) *task {
	environ, _ := os.ReadFile(filepath.Join(folder, "environ"))
	for entry := range bytes.SplitSeq(environ, []byte{0}) {
		id, ok := strings.CutPrefix(string(entry), "CUSTOM_ENV_CI_JOB_ID=")
		if !ok {
			continue
		}
		t := k.victims[id]
		if t == nil || t.kind.victim() != program {
			return nil
		}
		command, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if t.kind == killRun && !bytes.HasSuffix(command, []byte("\x00build_script\x00")) {
			return nil
		}
		return t
	}
	return nil
}

// children are the folders in /proc of the processes that the runner has started, among which
// are the driver's stages; of all, where the kernel does not tell.
func (w *world) children() []string {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", w.runner.PID()))
	if len(threads) == 0 {
		return processes()
	}
	var folders []string
	for _, thread := range threads {
		pids, _ := os.ReadFile(thread)
		for _, pid := range strings.Fields(string(pids)) {
			folders = append(folders, filepath.Join("/proc", pid))
		}
	}
	return folders
}

// processes are the folders of all processes in /proc.
func processes() []string {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	return folders
}

// marked are the processes that jobs leave running.
func (w *world) marked() []int {
	var pids []int
	for _, folder := range processes() {
		command, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if pid, err := strconv.Atoi(filepath.Base(folder)); err == nil && bytes.HasPrefix(command, []byte("sleep\x00"+w.marker)) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// sleep waits, at most until the context ends.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
