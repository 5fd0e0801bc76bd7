package podman_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// newFullJob places a job whose images_dir is on a disk of 64 MiB.
func newFullJob(t *testing.T, id int, change func(*backend.Spec)) *placed {
	t.Helper()
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o755))
	kit.Mount(t, filepath.Join(dir, "images"), "size=64m,mode=0711", 0)
	return newJobIn(t, dir, unique(id), change)
}

// free returns how many bytes a disk has free.
func free(t *testing.T, path string) uint64 {
	t.Helper()
	var disk unix.Statfs_t
	kit.Must(t, unix.Statfs(path, &disk))
	return disk.Bavail * uint64(disk.Bsize)
}

// expectFull checks the error of a build on a full disk.
func expectFull(t *testing.T, p *placed, err error) {
	t.Helper()
	if fault.CodeOf(err) != fault.Shortage || fault.SideOf(err) != fault.Infrastructure {
		t.Errorf("error %v, want a shortage", err)
	}
	rows := map[string]string{}
	for _, row := range fault.Rows(err) {
		rows[row.Label] = row.Text
	}
	if rows["images_dir"] != p.images() || !strings.Contains(err.Error(), "the disk of the images is full: ") || !strings.Contains(err.Error(), "\nsudo rolecall prune --older-than 168h") {
		t.Errorf("error %v, rows %v", err, rows)
	}
}

// TestFullStore: an image that is too big for the disk is an error of the infrastructure that
// says what to do. It leaves nothing, and the next image that fits can be used.
func TestFullStore(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "a disk that is full") {
		return
	}
	r := newRegistry(t)
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	big, err := lab.NewImage(v1.Config{}, append(files, lab.ImageFile{Path: "big", Content: strings.Repeat("\x00", 100<<20)})...)
	kit.Must(t, err)
	_, err = r.Push(t.Context(), "ci/big:1", big)
	kit.Must(t, err)
	push(t, r, "ci/small:1", 4<<20)
	p := newFullJob(t, 4781, pulls(r.Name("ci/big:1"))).from(r)
	expectFull(t, p, p.build())
	kit.Must(t, p.reap())
	if left, err := podmanLayers(p); err != nil || len(left) > 0 || free(t, p.images()) < 62<<20 {
		t.Errorf("left are %q, %v, %d bytes are free", left, err, free(t, p.images()))
	}
	small := pulled(t, r, p, 4782, "ci/small:1")
	if o := small.run("build_script", "test -s /biga", nil); o.Code != 0 {
		t.Errorf("the small image: %+v", o)
	}
	kit.Must(t, small.reap())
	beside := newJobIn(t, p.dir, unique(4783), pulls(r.Name("ci/big:1"))).from(r)
	expectFull(t, p, beside.build())
	kit.Must(t, beside.reap())
	if left, err := podmanLayers(p); err != nil || len(left) != 1 {
		t.Errorf("left are %q, %v", left, err)
	}
}

// podmanLayers returns the folders that a store has for layers, also for those being made.
func podmanLayers(p *placed) ([]string, error) {
	entries, err := os.ReadDir(p.store() + "/overlay")
	var names []string
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "l" {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// TestFullJob: if the disk is too full for the folders of the job itself, that is the same
// error.
func TestFullJob(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "a disk that is full") {
		return
	}
	p := newFullJob(t, 4784, nil).withImage()
	kit.Must(t, p.reap())
	filler, errs := p.images()+"/filler", 0
	for _, left := range []int64{0, 16 << 10, 64 << 10, 256 << 10} {
		size := int64(free(t, p.images())) - left
		kit.Must(t, os.WriteFile(filler, nil, 0o600))
		f, err := os.OpenFile(filler, os.O_WRONLY, 0)
		kit.Must(t, err)
		kit.Must(t, unix.Fallocate(int(f.Fd()), 0, 0, size))
		kit.Must(t, f.Close())
		p.makeOwn()
		err = p.build()
		if err != nil {
			errs++
			expectFull(t, p, err)
		}
		kit.Must(t, p.reap())
		kit.Must(t, os.Remove(filler))
	}
	if errs < 2 {
		t.Errorf("the disk was full %d times", errs)
	}
	p.makeOwn()
	kit.Must(t, p.build())
	kit.Must(t, p.reap())
}
