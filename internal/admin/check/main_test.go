package check_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"rolecall/internal/version"
	"rolecall/test/kit"
)

// programsDir names the variable with the folder of the programs that TestMain wrote.
const programsDir = "CHECK_PROGRAMS"

// atOnce is the least number of tests at once, since they wait most of their time for processes.
const atOnce = 4

// TestMain writes programs that only say their version. No test may write a program that
// is then started: another test that starts a process at that moment holds the file
// open for writing, and the program cannot start.
func TestMain(m *testing.M) {
	if os.Getenv(programsDir) != "" { // a child of a test
		os.Exit(m.Run())
	}
	if flag.Parse(); runtime.GOMAXPROCS(0) < atOnce {
		_ = flag.Set("test.parallel", strconv.Itoa(atOnce))
	}
	os.Exit(withPrograms(m))
}

// withPrograms runs the tests.
func withPrograms(m *testing.M) int {
	dir, err := os.MkdirTemp("", "rolecall-check-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		err = os.Setenv(programsDir, dir)
	}
	for _, name := range programs() {
		for version, folder := range map[string]string{version.Version: "new", "0.0.9": "old", version.Version + "\nexit 3": "failing"} {
			path := filepath.Join(dir, folder, name)
			if err == nil {
				err = os.MkdirAll(filepath.Dir(path), 0o700)
			}
			if err == nil {
				says := strings.Replace(fmt.Sprintf("rolecall %s %s", name, version), "rolecall rolecall", "rolecall", 1)
				err = os.WriteFile(path, fmt.Appendf(nil, "#!/bin/sh\necho %s\n", says), 0o755)
			}
		}
	}
	for folder, says := range map[string]string{"oldtools": "podman version 3.4.4", "oldertools": "podman version 4.2.9", "newtools": "podman version 5.0.0", "oddtools": "rolecall podman 1"} {
		if err == nil {
			err = os.MkdirAll(filepath.Join(dir, folder), 0o700)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, folder, "podman"), []byte("#!/bin/sh\necho "+says+"\n"), 0o755)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// programs returns the names of the driver's programs.
func programs() []string {
	return []string{"config", "prepare", "run", "cleanup", "gate", "registry", "endpoint", "credential", "handover", "sweep", "revoke", "rolecall"}
}

// install installs the driver in libexec/rolecall.
func (h *host) install(t *testing.T) {
	t.Helper()
	h.mkdir(t, "libexec/rolecall", 0o755)
	for _, name := range programs() {
		h.program(t, name, "new")
	}
}

// program installs a program of the folder new or old.
func (h *host) program(t *testing.T, name, folder string) {
	t.Helper()
	path := h.path("libexec/rolecall/" + name)
	_ = os.Remove(path)
	kit.Must(t, os.Link(filepath.Join(os.Getenv(programsDir), folder, name), path))
}
