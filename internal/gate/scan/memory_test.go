//go:build !race

// The race detector needs memory too: make test runs these tests without it.

package scan_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"rolecall/internal/gate/scan"
	"rolecall/test/kit"
)

// memoryDir names the variable with the folder that the child of TestMemory scans.
const memoryDir = "SCAN_MEMORY_DIR"

// printPeak scans a folder and prints the peak of this process's memory, in KiB.
func printPeak(t *testing.T, dir string) {
	t.Helper()
	var names []string
	for _, entry := range must(os.ReadDir(dir)) {
		for range 3 {
			names = append(names, entry.Name())
		}
	}
	result := scanned(t, scan.Options{Dir: dir, Temp: t.TempDir(), Workers: 2}, names...)
	fmt.Println("problems:", len(result.Problems), result.Problems)
	status := string(must(os.ReadFile("/proc/self/status")))
	_, status, _ = strings.Cut(status, "VmHWM:")
	fmt.Println("peak:", strings.Fields(status)[0])
}

// peak returns the peak of memory, in KiB, of a process that scans a folder.
func peak(t *testing.T, dir string) int {
	t.Helper()
	out, err := kit.Child(t, nil, memoryDir+"="+dir).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("problems: 0")) {
		t.Fatalf("%v: %s", err, out)
	}
	_, text, _ := strings.Cut(string(out), "peak: ")
	return must(strconv.Atoi(strings.Fields(text)[0]))
}

// TestMemory scans large files and archives, each in a new process.
func TestMemory(t *testing.T) {
	if kit.IsChild(t) {
		printPeak(t, os.Getenv(memoryDir))
		return
	}
	const most = 16 << 10
	base := peak(t, t.TempDir())
	for name, make := range map[string]func(path string) error{
		"a sparse file of 1 GiB":     func(path string) error { write(t, filepath.Dir(path), "file", nil); return os.Truncate(path, 1<<30) },
		"a zip of 100,000 files":     func(path string) error { return os.WriteFile(path, manyInZip(), 0o600) },
		"the same in a gzip":         func(path string) error { return os.WriteFile(path, gzipOf("", manyInZip()), 0o600) },
		"a tar of 50,000 files":      func(path string) error { return os.WriteFile(path, gzipOf("", manyInTar()), 0o600) },
		"a large file in a zip":      func(path string) error { return os.WriteFile(path, zipOf("a", largeText(32<<20)), 0o600) },
		"a window of 8 MiB":          func(path string) error { return os.WriteFile(path, windowed(8<<20, largeText(24<<20)), 0o600) },
		"a tar in a window of 8 MiB": func(path string) error { return os.WriteFile(path, windowed(8<<20, manyInTar()), 0o600) },
		"windows of 1 in that of 8": func(path string) error {
			return os.WriteFile(path, windowed(8<<20, windowed(1<<20, largeText(24<<20))), 0o600)
		},
		"a sparse zip in zips of both": func(path string) error {
			return os.WriteFile(path, zipOf("a", zipOf("b", storedOf("c", largeText(8<<20)))), 0o600)
		},
	} {
		dir := t.TempDir()
		kit.Must(t, make(filepath.Join(dir, "file")))
		more := peak(t, dir) - base
		for try := 0; try < 2 && more > most; try++ { // a busy host collects garbage late; what the scan needs it needs each time
			more = min(more, peak(t, dir)-base)
		}
		t.Logf("%s: %d KiB besides %d", name, more, base)
		if more > most {
			t.Errorf("%s: %d KiB, want at most 16 MiB", name, more)
		}
	}
}

func manyInZip() []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := range 100_000 {
		must(must(w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("some/folder/with/a/name/file%d", i), Method: zip.Store})).Write([]byte("some text")))
	}
	must(0, w.Close())
	return out.Bytes()
}

func manyInTar() []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	text := largeText(1000)
	for i := range 50_000 {
		must(0, w.WriteHeader(&tar.Header{Name: fmt.Sprintf("file%d", i), Mode: 0o600, Size: 1000, PAXRecords: map[string]string{"X.y": "z"}}))
		must(w.Write(text))
	}
	must(0, w.Close())
	return out.Bytes()
}
