package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"rolecall/internal/state"
	"rolecall/test/lab"
)

// stores are the folders in which rolecall keeps the state of this user's jobs.
func stores() []string { return ownFolders(state.Roots()) }

// ownFolders returns those of the paths that are folders of this user. What others have put
// there is none of the demo's: it may be unreadable, or change meanwhile.
func ownFolders(paths []string) []string {
	return slices.DeleteFunc(paths, func(path string) bool {
		info, err := os.Lstat(path)
		return err != nil || !info.IsDir() || int(info.Sys().(*syscall.Stat_t).Uid) != os.Geteuid()
	})
}

// showLeft searches everything that the jobs could have left something in. Finding something is
// an error.
func (d *demo) showLeft() error {
	d.title("What is left")
	received := filepath.Join(d.world.dir, "received")
	if err := d.keepReceived(received); err != nil {
		return err
	}
	secrets := d.world.recorder.Secrets()
	d.line("  Searched for the %d secrets of the jobs (ID tokens, secret keys, session tokens):", len(secrets))
	var left []string
	for _, place := range []struct {
		what string
		dirs []string
	}{
		{"rolecall's folders: " + strings.Join(state.Roots(), ", "), stores()},
		{d.world.describe(), d.world.folders()},
		{"what GitLab has received: logs and artifacts", []string{received}},
	} {
		files, found, err := lab.Search(secrets, place.dirs...)
		if err != nil {
			return err
		}
		d.line("  %5d files, %d with a secret   %s", files, len(found), place.what)
		left = append(left, found...)
	}
	if len(left) > 0 {
		return fmt.Errorf("secrets are left in:\n  %s", strings.Join(left, "\n  "))
	}
	return d.checkTraces()
}

// folders returns the folders of the runner and of containers.
func (w *world) folders() []string {
	return []string{w.path("runner"), w.path("builds"), w.path("cache"), w.path("images")}
}

// describe says what the folders are.
func (w *world) describe() string {
	if w.registry != nil {
		return "the runner's folders: builds, cache, tmp, home, images and containers; its log and its settings"
	}
	return "the runner's folders: builds, cache, tmp, home; its log and its settings"
}

// keepReceived writes to files what GitLab has received of the jobs, to be searched with the
// others. A log is searched as it came and with its lines whole.
func (d *demo) keepReceived(dir string) error {
	for _, job := range d.jobs {
		files := map[string][]byte{"log": []byte(job.run.Log()), "text": []byte(job.run.Text())}
		for i, upload := range job.run.Artifacts() {
			files[fmt.Sprintf("%d-%s", i, upload.Name)] = upload.Data
		}
		folder := filepath.Join(dir, job.tenant)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkTraces reports what the jobs have left though it holds no secret: folders, containers and
// processes.
func (d *demo) checkTraces() error {
	for _, job := range d.jobs {
		for _, store := range stores() {
			folder := filepath.Join(store, fmt.Sprint(job.run.ID()))
			if _, err := os.Lstat(folder); err == nil {
				return fmt.Errorf("the folder %s is left", folder)
			}
		}
	}
	if pids := d.world.runner.Leftovers(); len(pids) > 0 {
		return fmt.Errorf("processes %v are left", pids)
	}
	if left, err := filepath.Glob(d.world.path("images/.jobs/*")); err != nil || len(left) > 0 {
		return errors.Join(err, fmt.Errorf("containers are left: %v", left))
	}
	if d.world.registry != nil {
		d.line("  No folder of a job, no container and no process is left.")
		return nil
	}
	d.line("  No folder of a job and no process is left.")
	return nil
}

// watch returns where the secrets of a job lie while it runs, which shows that the search finds
// them. It waits for the first place until the job has ended.
func watch(secrets []string, ended <-chan struct{}) (string, error) {
	for {
		_, found, err := lab.Search(secrets, stores()...)
		if err != nil || len(found) > 0 {
			return strings.Join(found, ", "), err
		}
		select {
		case <-ended:
			return "", errors.New("the search finds no credentials where a running job has them")
		case <-tick():
		}
	}
}
