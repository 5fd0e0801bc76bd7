package sweep_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/sweep"
	"rolecall/internal/version"
	"rolecall/test/kit"
)

// errFull is the error of a disk that is full.
var errFull = errors.New("the disk is full")

// full is a writer to a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

// tidier has removed a folder, and could not remove another one.
type tidier struct{ asked int }

func (d *tidier) Tidy(context.Context, string, backend.Finder) ([]string, error) {
	d.asked++
	return []string{"what a job left"}, errors.New("a folder stays")
}

// TestFullDisk: a line about what was removed that cannot be written is an error, whoever has
// removed it. The removal goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	root := filepath.Join(t.TempDir(), "root")
	dead(t, root, 7, "")
	dead(t, root, 8, "")
	if err := newProgram().Run(sweep.Places{Roots: []string{root}}, full{}); !errors.Is(err, errFull) {
		t.Errorf("a job: %v", err)
	}
	if left, err := os.ReadDir(root); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	d := &tidier{}
	parts := sweep.Parts{Tidiers: []backend.Tidier{d}}
	if err := parts.Run(sweep.Places{Images: "/i"}, full{}); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "a folder stays") {
		t.Errorf("a folder: %v", err)
	}
	parts = sweep.Parts{Pruners: []sweep.Pruner{&pruner{}}}
	if err := parts.Run(sweep.Places{Images: "/i", MaxBytes: 7}, full{}); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "a store cannot be read") {
		t.Errorf("an image: %v", err)
	}
}

// TestNoImages: without a folder of images nobody is asked to remove some.
func TestNoImages(t *testing.T) {
	t.Parallel()
	d, p := &tidier{}, &pruner{}
	parts := sweep.Parts{Tidiers: []backend.Tidier{d}, Pruners: []sweep.Pruner{p}}
	if err := parts.Run(sweep.Places{MaxBytes: 7}, io.Discard); err != nil || d.asked > 0 || len(p.asked) > 0 {
		t.Errorf("%v, asked %d and %d times", err, d.asked, len(p.asked))
	}
}

// TestExitCode: what could not be removed is exit code 1, and so is a policy file that cannot be
// read. A host without a policy file is swept.
func TestExitCode(t *testing.T) {
	if !kit.InMounts(t, "the folders of a host") {
		return
	}
	for _, folder := range []string{"/etc", "/run", "/dev/shm", "/var/tmp"} {
		kit.Mount(t, folder, "", 0)
	}
	serve := func(args ...string) (int, string) {
		var out, stderr strings.Builder
		code := newProgram().Serve(args, nil, nil, &out, &stderr)
		return code, out.String() + stderr.String()
	}
	if code, says := serve("--version"); code != 0 || says != "rolecall sweep "+version.Version+"\n" {
		t.Errorf("--version: exit code %d, %s", code, says)
	}
	if code, says := serve(); code != 0 || says != "" {
		t.Errorf("no policy file: exit code %d, %s", code, says)
	}
	kit.Must(t, os.Mkdir("/etc/rolecall", 0o755))
	kit.Must(t, os.WriteFile("/etc/rolecall/rolecall.toml", nil, 0o600))
	if code, says := serve(); code != 1 || !strings.HasPrefix(says, "rolecall: error: policy file: ") {
		t.Errorf("a broken policy file: exit code %d, %s", code, says)
	}
	kit.Must(t, os.RemoveAll("/etc/rolecall"))
	dead(t, "/run/rolecall", 9, "/proc") // no cgroup
	if code, says := serve(); code != 1 || !strings.Contains(says, "/proc: not a cgroup") {
		t.Errorf("a job that stays: exit code %d, %s", code, says)
	}
}
