package kit

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Process is a process of this host.
type Process struct {
	ID      int
	Command string // the arguments, each with a space after it
}

// Marked returns the living processes that have entry, in the form NAME=VALUE, in their
// initial environment, as far as this user can see them. It does not return a process
// that has ended but is not yet reaped.
func Marked(entry string) []Process {
	var found []Process
	paths, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range paths {
		environ, _ := os.ReadFile(path)
		if !bytes.Contains(append([]byte{0}, environ...), []byte("\x00"+entry+"\x00")) {
			continue
		}
		folder := filepath.Dir(path)
		line, _ := os.ReadFile(filepath.Join(folder, "cmdline"))
		if id, err := strconv.Atoi(filepath.Base(folder)); err == nil {
			found = append(found, Process{id, strings.ReplaceAll(string(line), "\x00", " ")})
		}
	}
	return found
}

// KillMarked kills the processes that Marked finds.
func KillMarked(entry string) {
	for _, p := range Marked(entry) {
		_ = syscall.Kill(p.ID, syscall.SIGKILL) // it may have ended
	}
}
