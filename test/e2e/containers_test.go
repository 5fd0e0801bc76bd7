package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// containerWorld is a world whose jobs may have images, in which each tenant has a unix user.
type containerWorld struct {
	*policyWorld

	registry *lab.Registry
	s3job    lab.ImageFile // the S3 client
}

// newContainerWorld starts the world, and pushes the images tool, which has the S3 client as
// /usr/local/bin/s3job, and aws, which has it as its entrypoint. Call it in a child of
// kit.InUnified.
func newContainerWorld(t *testing.T, settings string) *containerWorld {
	t.Helper()
	p := newIsolatedWorld(t)
	w := &containerWorld{policyWorld: p}
	w.places = append(w.places, p.images())
	var err error
	w.registry, err = lab.StartRegistry(t.Context(), lab.RegistryOptions{Dir: t.TempDir()})
	kit.Must(t, err)
	t.Cleanup(w.registry.Close)
	programs, err := lab.Parts()
	kit.Must(t, err)
	client, err := os.ReadFile(programs.S3Job)
	kit.Must(t, err)
	w.s3job = lab.ImageFile{Path: "usr/local/bin/s3job", Content: string(client)}
	w.push(t, "ci/tool:1", v1.Config{}, w.s3job)
	w.push(t, "ci/aws:2", v1.Config{Entrypoint: []string{"/usr/local/bin/s3job"}}, w.s3job)
	text, err := os.ReadFile(p.policy)
	kit.Must(t, err)
	before, tenants, _ := strings.Cut(string(text), "[[tenant]]")
	p.write(t, before+fmt.Sprintf("[containers]\nengine = \"podman\"\nimages_dir = %q\n%s[defaults]\nimages = [%q]\nservices = [%q]\nimage_users = [\"\", \"1000\"]\npull_policies = [\"always\", \"if-not-present\", \"never\"]\n[[tenant]]",
		p.images(), settings, w.registry.Address+"/ci/**", w.registry.Address+"/ci/**")+tenants)
	return w
}

// images is the images_dir.
func (p *policyWorld) images() string { return filepath.Join(p.dir, "images") }

// push pushes an image with busybox and more files to the registry.
func (w *containerWorld) push(t *testing.T, name string, config v1.Config, more ...lab.ImageFile) {
	t.Helper()
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	image, err := lab.NewImage(config, append(files, more...)...)
	kit.Must(t, err)
	_, err = w.registry.Push(t.Context(), name, image)
	kit.Must(t, err)
}

// in lets a job run in an image of the registry, with the job's own login there. More are
// further fields of the image, as GitLab sends them.
func (w *containerWorld) in(image string, job coordinator.Job, more ...func(image map[string]any)) coordinator.Job {
	before := job.Mutate
	job.Mutate = func(response map[string]any) {
		if before != nil {
			before(response)
		}
		of := map[string]any{"name": w.registry.Name(image)}
		for _, change := range more {
			change(of)
		}
		response["image"] = of
		response["credentials"] = []any{map[string]any{
			"type": "registry", "url": w.registry.Address, "username": lab.RegistryUser, "password": lab.RegistryPassword,
		}}
	}
	return job
}

// withoutEntry is image:entrypoint: [""].
func withoutEntry(image map[string]any) { image["entrypoint"] = []any{""} }

// TestContainers: the pipeline of two tenants whose jobs run in an image.
func TestContainers(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	job := w.alpha("id -u", "cat README.md", w.s3("put alpha key text"), "cat $ROLECALL_ENV_FILE", "echo kept > /root/kept", "echo out > out.txt")
	job.AfterScript = []string{"cat /root/kept", w.s3("get alpha key")}
	log := w.succeed(t, sharedToken, w.in("ci/tool:1", job))
	contains(t, log, "image "+w.registry.Name("ci/tool:1")+" is sha256:", "hello", "kept", "text", "AWS_SECRET_ACCESS_KEY=[MASKED]")
	w.checkNothingLeft(t)
}

// TestEntrypoint: an image whose entrypoint starts another program than the shell is used
// with entrypoint: [""], and the log says so.
func TestEntrypoint(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "")
	w.succeed(t, sharedToken, w.in("ci/aws:2", w.alpha(w.s3("put alpha key text")), withoutEntry))
	w.settle(t)
	run := w.enqueue(sharedToken, w.in("ci/aws:2", w.alpha("echo hi")))
	if result := wait(t, run); result.FailureReason != "script_failure" {
		t.Errorf("result %+v, want script_failure", result)
	}
	contains(t, run.Text(), "before a shell read the script", `set entrypoint: [""]`)
	w.checkNothingLeft(t)
}
