package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/test/lab"
)

// showLeft searches everything that the jobs could have left something in. Finding something is
// an error.
func (d *demo) showLeft() error {
	d.title("What is left")
	received := filepath.Join(d.world.dir, "received")
	if err := d.keepReceived(received); err != nil {
		return err
	}
	secrets := append(d.world.recorder.Secrets(), d.made()...)
	d.line("  Searched for the %d secrets of the jobs (ID tokens, secret keys, session tokens, databases):", len(secrets))
	waiting, err := d.waiting()
	if err != nil {
		return err
	}
	var left []string
	for _, place := range []struct {
		what string
		dirs []string
	}{
		{"rolecall's folder, " + d.world.store, []string{d.world.store}},
		{d.world.describe(), d.world.folders()},
		{"what GitLab has received: logs and artifacts", []string{received}},
	} {
		files, found, err := lab.Search(secrets, place.dirs...)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(path string) bool { return slices.Contains(waiting, path) })
		d.line("  %5d files, %d with a secret   %s", files, len(found), place.what)
		left = append(left, found...)
	}
	d.line("  %5d files, %d with a database what waits for later jobs of the pipeline, for the hour that max_age says", len(waiting), len(waiting))
	if len(left) > 0 {
		return fmt.Errorf("secrets are left in:\n  %s", strings.Join(left, "\n  "))
	}
	return d.checkTraces()
}

// waiting returns the files in which the databases of the tenants wait for later jobs of the pipeline,
// and nothing else of the jobs.
func (d *demo) waiting() ([]string, error) {
	folder := filepath.Join(d.world.store, "handover")
	if len(d.made()) == 0 {
		return nil, nil
	}
	_, waiting, err := lab.Search(d.made(), folder)
	if err != nil {
		return nil, err
	}
	if len(waiting) != len(d.made()) {
		return nil, fmt.Errorf("the databases of %d tenants wait in %q", len(d.made()), waiting)
	}
	_, wrong, err := lab.Search(d.world.recorder.Secrets(), folder)
	if len(wrong) > 0 {
		return nil, fmt.Errorf("credentials are in %q", wrong)
	}
	return waiting, err
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
		folder := filepath.Join(d.world.store, fmt.Sprint(job.run.ID()))
		if _, err := os.Lstat(folder); err == nil {
			return fmt.Errorf("the folder %s is left", folder)
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
func (w *world) watch(secrets []string, ended <-chan struct{}) (string, error) {
	for {
		_, found, err := lab.Search(secrets, w.store)
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
