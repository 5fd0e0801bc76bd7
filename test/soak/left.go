package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"rolecall/internal/state"
	"rolecall/test/lab"
)

// spare is how many more descriptors the runner may have after the jobs than before: of
// connections to GitLab that it keeps.
const spare = 10

// descriptors is how many the runner has.
func (w *world) descriptors() int {
	entries, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", w.runner.PID()))
	return len(entries)
}

// settle reports a runner that has more descriptors than before its jobs, some time after them.
func (w *world) settle(before int) []string {
	if before == 0 {
		return []string{"the runner's descriptors cannot be counted"}
	}
	now := 0
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if now = w.descriptors(); now <= before+spare {
			return nil
		}
	}
	return []string{fmt.Sprintf("the runner has %d descriptors, and had %d before the jobs", now, before)}
}

// left ends the runner, sweeps once, and returns what is left of the jobs: processes, folders,
// cgroups and secrets. The sweep may only find work where clean-up was killed.
func (w *world) left(ctx context.Context, tasks []*task) ([]string, error) {
	if err := w.stop(ctx, syscall.SIGQUIT); err != nil {
		return nil, err
	}
	var problems, cleaned []string
	for _, t := range tasks {
		if t.kind != killCleanup || !t.killed {
			cleaned = append(cleaned, fmt.Sprint(t.run.ID()))
		}
	}
	for _, trace := range w.traces(cleaned) {
		problems = append(problems, "before the sweep: "+trace)
	}
	sweep := exec.CommandContext(ctx, filepath.Join(filepath.Dir(w.programs.Cleanup), "sweep"), "--config", w.policy())
	if out, err := sweep.CombinedOutput(); err != nil {
		problems = append(problems, fmt.Sprintf("sweep: %v: %s", err, out))
	}
	var all []string
	for _, t := range tasks {
		all = append(all, fmt.Sprint(t.run.ID()))
	}
	problems = append(problems, w.traces(all)...)
	found, err := w.search(tasks)
	return append(problems, found...), err
}

// traces returns what is left of the jobs with those ids, though it may hold no secret, and of
// any job the processes.
func (w *world) traces(ids []string) (found []string) {
	for _, pid := range w.marked() {
		found = append(found, fmt.Sprintf("process %d of a job is left", pid))
	}
	for _, pid := range w.runner.Leftovers() {
		found = append(found, fmt.Sprintf("process %d of the runner is left", pid))
	}
	groups := cgroups()
	for _, id := range ids {
		found = append(found, w.containersLeft(id)...)
		for _, root := range append(state.Roots(), w.credentials) {
			if _, err := os.Lstat(filepath.Join(root, id)); err == nil {
				found = append(found, filepath.Join(root, id)+" is left")
			}
		}
		links, _ := filepath.Glob(filepath.Join(w.builds(), "*/*/*/*/*/*.tmp/rolecall-"+id)) // The pattern is well-formed.
		for _, path := range append(links, groups[id]...) {
			found = append(found, path+" is left")
		}
	}
	return found
}

// cgroups are the cgroups of jobs on this host, by the job's id.
func cgroups() map[string][]string {
	found := make(map[string][]string)
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // It has been removed meanwhile.
		}
		if name, ok := strings.CutPrefix(entry.Name(), "rolecall-"); ok && entry.IsDir() {
			id, _, _ := strings.Cut(name, "-")
			found[id] = append(found[id], path)
		}
		return nil
	})
	return found
}

// search returns where a secret of any job is: in logs, uploads, or a file of the driver, the
// runner or a job, other than the one in which a job that leaks has written it itself.
func (w *world) search(tasks []*task) ([]string, error) {
	received := w.place("received")
	var secrets []string
	for _, t := range tasks {
		if token := t.run.IDToken("GITLAB_OIDC_TOKEN"); token != "" {
			secrets = append(secrets, token)
		}
		if err := t.keep(filepath.Join(received, fmt.Sprint(t.run.ID()))); err != nil {
			return nil, err
		}
	}
	for _, request := range w.sts.Requests() {
		secrets = append(secrets, request.Issued.SecretAccessKey, request.Issued.SessionToken)
	}
	files, found, err := lab.Search(secrets, append(state.Roots(), w.credentials, w.dir)...)
	if err == nil && files < len(tasks) {
		err = errors.New("the search for secrets found no files to look into")
	}
	var problems []string
	for _, path := range found {
		if !strings.HasPrefix(path, w.builds()+"/") || filepath.Base(path) != "leak.txt" {
			problems = append(problems, "a secret is in "+path)
		}
	}
	return problems, err
}

// keep writes what GitLab has received of a job to files, to be searched with the others: its
// log as it came and with its lines whole, and its uploads.
func (t *task) keep(dir string) error {
	all := map[string][]byte{"log": []byte(t.run.Log()), "text": []byte(t.run.Text())}
	for i, upload := range t.run.Artifacts() {
		all[fmt.Sprintf("%d-%s", i, upload.Name)] = upload.Data
	}
	err := os.MkdirAll(dir, 0o700)
	for name, content := range all {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
	return err
}
