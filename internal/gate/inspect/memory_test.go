//go:build !race

// The race detector needs memory too: make test runs these tests without it.

package inspect_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rolecall/internal/gate"
	"rolecall/internal/gate/inspect"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

const (
	// orderFile names the variable with the order that the child of TestMemory follows.
	orderFile = "INSPECT_MEMORY_ORDER"

	// The garbage of fewFiles is as much as the garbage collector lets there be.
	fewFiles, manyFiles = 10_000, 100_000
	tolerance           = 3 << 10 // KiB: 34 bytes a file, less than a name
)

// printPeak follows an order, and prints how many files were searched and the peak of this
// process's memory, in KiB.
func printPeak(t *testing.T) {
	t.Helper()
	order, err := os.Open(os.Getenv(orderFile))
	kit.Must(t, err)
	defer order.Close()
	var out bytes.Buffer
	var args []string
	if strings.HasSuffix(order.Name(), gate.Left) {
		args = []string{gate.Left}
	}
	if code := inspect.Serve(args, nil, order, &out, os.Stderr); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var report gate.Report
	kit.Must(t, json.Unmarshal(out.Bytes(), &report))
	if len(report.Refused) > 0 {
		t.Errorf("refused are %v", report.Refused)
	}
	status, err := os.ReadFile("/proc/self/status")
	kit.Must(t, err)
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Println("searched:", report.Files, strings.Fields(peak)[0])
}

// peak returns the peak of memory, in KiB, of a process that follows an order, and how many
// files it has searched.
func peak(t *testing.T, o gate.Order) (files, peak int) {
	t.Helper()
	text, err := json.Marshal(o)
	kit.Must(t, err)
	path := filepath.Join(t.TempDir(), "order")
	if len(o.Leavings.Dirs) > 0 {
		path += "-" + gate.Left
	}
	kit.Must(t, os.WriteFile(path, text, 0o600))
	out, err := kit.Child(t, nil, orderFile+"="+path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, result, _ := strings.Cut(string(out), "searched: ")
	fields := strings.Fields(result)
	files, err = strconv.Atoi(fields[0])
	kit.Must(t, err)
	peak, err = strconv.Atoi(fields[1])
	kit.Must(t, err)
	return files, peak
}

// plantMany makes a repository in which git tracks nothing: half of n small files are in one
// folder, the others in many.
func plantMany(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	kit.Must(t, exec.Command("git", "init", "-q", dir).Run())
	for i := range n {
		folder := filepath.Join(dir, "wide")
		if i%2 == 0 {
			folder = fmt.Sprintf("%s/packages/package%d/lib", dir, i/100)
		}
		if i < 2 || i%100 == 0 {
			kit.Must(t, os.MkdirAll(folder, 0o700))
		}
		kit.Must(t, os.WriteFile(fmt.Sprintf("%s/some-file-with-a-name-%d.js", folder, i), []byte("text"), 0o600))
	}
	return dir
}

// TestMemory: the memory of the program does not grow with the number of files, in whatever
// way they are found.
func TestMemory(t *testing.T) {
	if kit.IsChild(t) {
		printPeak(t)
		return
	}
	few, many := plantMany(t, fewFiles), plantMany(t, manyFiles)
	compareLeft(t, few, many)
	for name, artifacts := range map[string][]job.Artifact{
		"a folder":                       {{Paths: []string{"."}}},
		"files, and their folders":       {{Paths: []string{"**/*.js", "wide/*", "{packages,wide}/**"}}},
		"untracked, and a second upload": {{Untracked: true, Exclude: []string{".git/**"}}, {Type: "junit", Format: "gzip", Paths: []string{"wide/*"}}},
	} {
		o := newOrder(t)
		o.Uploads.Artifacts = artifacts
		o.MaxFiles = 1_000_000
		o.Project = few
		more := o
		more.Project = many
		comparePeaks(t, name, o, more)
	}
}

// compareLeft checks it of the search of what a job has left.
func compareLeft(t *testing.T, few, many string) {
	t.Helper()
	o := newOrder(t)
	o.Leavings.Dirs = []string{few}
	more := o
	more.Leavings.Dirs = []string{many}
	comparePeaks(t, "left", o, more)
}

// comparePeaks checks that an order with manyFiles needs no more memory than one with
// fewFiles.
func comparePeaks(t *testing.T, name string, few, many gate.Order) {
	t.Helper()
	files, base := peak(t, few)
	allFiles, all := peak(t, many)
	for try := 0; try < 2 && all-base > tolerance; try++ { // a busy host collects garbage late; what the program needs it needs each time
		_, again := peak(t, many)
		all = min(all, again)
	}
	t.Logf("%s: %d KiB for %d files, %d KiB for %d", name, base, files, all, allFiles)
	if files < fewFiles || allFiles < manyFiles {
		t.Errorf("%s: %d and %d files were searched", name, files, allFiles)
	}
	if all-base > tolerance {
		t.Errorf("%s: %d KiB more for more files, want at most %d", name, all-base, tolerance)
	}
}
