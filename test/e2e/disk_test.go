package e2e_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/lab"
)

// image is a disk of its own: an ext4 file system in a file.
type image struct{ file, dir string }

// newImage makes an image and mounts it.
func newImage(t *testing.T, dir string) image {
	t.Helper()
	i := image{filepath.Join(dir, "disk.img"), filepath.Join(dir, "disk")}
	for _, tool := range []string{"mkfs.ext4", "mount", "losetup"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("SKIPPED, no raw disk is searched, as this host has no %s: %v", tool, err)
		}
	}
	err := os.WriteFile(i.file, nil, 0o600)
	if err == nil {
		err = os.Truncate(i.file, 192<<20)
	}
	if err == nil {
		err = os.Mkdir(i.dir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", i.file).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	i.mount(t)
	return i
}

// mount mounts the image.
func (i image) mount(t *testing.T) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "mount", "-o", "loop", i.file, i.dir).CombinedOutput(); err != nil {
		t.Skipf("SKIPPED, no raw disk is searched, as this host lets nobody mount one: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = syscall.Unmount(i.dir, syscall.MNT_DETACH) }) // frees the loop device too
	if err := os.Chmod(i.dir, 0o711); err != nil {
		t.Fatal(err)
	}
}

// unmount writes all to the image and unmounts it. Whatever holds a file of it must
// have ended.
func (i image) unmount(t *testing.T) {
	t.Helper()
	syscall.Sync()
	until(t, endTime, "the unmounting of "+i.dir, func() bool { return syscall.Unmount(i.dir, 0) == nil })
}

// search reports whether one of the secrets is anywhere on the raw disk.
func (i image) search(t *testing.T, secrets ...string) bool {
	t.Helper()
	files, found, err := lab.Search(secrets, i.file)
	if err != nil || files == 0 {
		t.Fatalf("the search of %d files: %v", files, err)
	}
	return len(found) > 0
}

// TestDiskImage runs a job with all of its runner's folders on a disk and the
// credentials_dir on a tmpfs: nothing of what was issued is on the disk while the script
// has it, nor afterwards.
func TestDiskImage(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	disk := newImage(t, p.dir)
	for _, name := range []string{"builds", "cache"} {
		if err := os.Mkdir(filepath.Join(disk.dir, name), 0o711); err != nil {
			t.Fatal(err)
		}
	}
	policy, root := filepath.Join(p.dir, "disk.toml"), p.credentials()+".disk"
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	p.rewrite(t, policy, p.credentials(), root, filepath.Join(p.dir, "builds"), filepath.Join(disk.dir, "builds"),
		filepath.Join(p.dir, "cache"), filepath.Join(disk.dir, "cache"), p.audit(), filepath.Join(p.dir, "disk.jsonl"))
	runner := startRunner(t, lab.RunnerOptions{
		Dir: filepath.Join(disk.dir, "runner"), Coordinator: p.gitlab.URL(),
		Env:     []string{"AWS_ENDPOINT_URL_STS=" + p.recorder.URL(), "AWS_REGION=eu-central-1"},
		Runners: []lab.Runner{{Name: "disk", Token: "glrt-disk00001", Args: []string{"--config", policy}}},
	})
	searched := filepath.Join(p.dir, "searched")
	job := p.alpha("env", `cat "$ROLECALL_ENV_FILE" > /dev/null`, `cat "$FILE"`, p.s3("put alpha disk text"), "echo clean > clean.txt",
		"sync; echo all is on the disk", "until [ -e "+searched+" ]; do sleep 0.1; done")
	job.Variables = append(job.Variables, coordinator.Variable{Key: "FILE", Value: "the file variable\n", File: true})
	job.AfterScript = []string{"env > /dev/null; sync"}
	job.Cache = []coordinator.Cache{{Paths: []string{"clean.txt"}}}
	run := p.gitlab.Enqueue("glrt-disk00001", job)
	untilLog(t, run, "\nall is on the disk")
	disk.checkClean(t, p.recorder.Issued())
	if err := os.WriteFile(searched, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if result := wait(t, run); result.State != "success" {
		t.Errorf("%+v", result)
	}
	contains(t, run.Text(), "AWS_SESSION_TOKEN=[MASKED]", "in "+filepath.Join(disk.dir, "builds"), "Created cache")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := runner.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	disk.unmount(t)

	disk.checkClean(t, p.recorder.Issued())
	disk.control(t, p.recorder.Issued()[0])
}

// checkClean searches the raw disk for what was issued, and for what must be there.
func (i image) checkClean(t *testing.T, issued []lab.Issued) {
	t.Helper()
	if len(issued) != 1 {
		t.Fatalf("%d credentials were issued", len(issued))
	}
	if i.search(t, issued[0].AccessKeyID, issued[0].SecretAccessKey, issued[0].SessionToken) {
		t.Error("the raw disk holds what was issued")
	}
	if !i.search(t, "the file variable") {
		t.Error("the raw disk does not hold what the runner wrote to it: this search proves nothing")
	}
}

// control shows that a secret which was on the disk for a moment is found.
func (i image) control(t *testing.T, issued lab.Issued) {
	t.Helper()
	secrets := []string{issued.AccessKeyID, issued.SecretAccessKey, issued.SessionToken}
	i.mount(t)
	path := func(n int) string { return filepath.Join(i.dir, fmt.Sprintf("control%d", n)) }
	for n, secret := range secrets {
		if err := os.WriteFile(path(n), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	syscall.Sync()
	for n := range secrets {
		if err := os.Remove(path(n)); err != nil {
			t.Fatal(err)
		}
	}
	i.unmount(t)
	for _, secret := range secrets {
		if !i.search(t, secret) {
			t.Error("a secret that was on the disk is not found")
		}
	}
}
