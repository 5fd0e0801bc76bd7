package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/lab"
)

// imageName is the image of jobs that have one.
const imageName = "ci/soak:1"

// startRegistry starts a registry that everybody may pull from, and pushes the image: the
// tools that the script of jobs needs.
func (w *world) startRegistry(ctx context.Context) error {
	dir := w.place("registry")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var err error
	if w.registry, err = lab.StartRegistry(ctx, lab.RegistryOptions{Dir: dir, Open: true}); err != nil {
		return err
	}
	files, err := lab.BusyboxFiles()
	if err != nil {
		return err
	}
	tools, err := lab.HostFiles("/usr/bin/flock", "/usr/bin/date") // those of busybox cannot do what is needed
	if err != nil {
		return err
	}
	image, err := lab.NewImage(v1.Config{}, append(files, tools...)...)
	if err != nil {
		return err
	}
	_, err = w.registry.Push(ctx, imageName, image)
	return err
}

// containers is the part of the policy file that lets jobs have the image.
func (w *world) containers() string {
	if w.registry == nil {
		return ""
	}
	return fmt.Sprintf("[containers]\nengine = \"podman\"\nimages_dir = %q\n[defaults]\nimages = [%q]\n", w.place("images"), w.registry.Name(imageName))
}

// box lets the job of a task run in the image, if its tenant has a unix user. Of three such
// jobs two have it.
func (w *world) box(t *task, i int) {
	for user := range w.users {
		if w.registry != nil && t.kind != compared && t.tenant == tenantName(user) && i%3 > 0 {
			t.boxed = true
			t.job.Mutate = func(sent map[string]any) { sent["image"] = map[string]any{"name": w.registry.Name(imageName)} }
		}
	}
}

// containersLeft returns what is left of the container of a job.
func (w *world) containersLeft(id string) (found []string) {
	engine := filepath.Join(w.place("images"), ".jobs/rolecall-"+id+"-")
	roots, _ := filepath.Glob(engine + "*") // The patterns are well-formed.
	for _, root := range roots {
		found = append(found, root+" is left")
	}
	links, _ := filepath.Glob("/run/rolecall-podman/*")
	for _, link := range links {
		if target, _ := os.Readlink(link); strings.HasPrefix(target, engine) {
			found = append(found, link+" is left")
		}
	}
	if w.registry == nil {
		return found
	}
	for _, folder := range processes() {
		mounts, _ := os.ReadFile(filepath.Join(folder, "mountinfo"))
		if strings.Contains(string(mounts), engine) {
			found = append(found, "mounts of job "+id+" are left in process "+filepath.Base(folder))
		}
	}
	return found
}
