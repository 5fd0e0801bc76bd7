package podman_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/kit"
	"rolecall/test/lab"
)

// TestManyFiles: a job in an image of 100,000 files, which has changed a file in each folder,
// ends in time, and nothing of it is left.
func TestManyFiles(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images of many files") {
		return
	}
	const folders, each = 200, 500
	r := newRegistry(t)
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	for i := range folders * each {
		files = append(files, lab.ImageFile{Path: fmt.Sprintf("many/%d/%d", i%folders, i), Content: "x"})
	}
	image, err := lab.NewImage(v1.Config{}, files...)
	kit.Must(t, err)
	_, err = r.Push(t.Context(), "ci/many:1", image)
	kit.Must(t, err)
	begin := time.Now()
	p := pulled(t, r, nil, 4890, "ci/many:1")
	t.Logf("built after %v", time.Since(begin))
	if o := p.run("build_script", "find /many -type f | wc -l; for d in /many/*; do echo y > $d/new; done", nil); o.Code != 0 || !strings.HasPrefix(o.stdout, fmt.Sprintf("%d\n", folders*each)) {
		t.Errorf("%+v", o)
	}
	begin = time.Now()
	kit.Must(t, p.reap())
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("the job ended after %v", took)
	}
	p.checkNothing("many files")
}
