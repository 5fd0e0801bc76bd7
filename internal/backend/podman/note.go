package podman

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
)

// note says whose a folder of jobsDir is, for a sweep that finds no record of the job. The
// folder is made after the job's record, and removed before it.
type note struct {
	Boot string          `json:"boot"`           // id of the boot in which the folder was made
	Root string          `json:"root,omitempty"` // the folder that has the job's record; empty: it is no job's
	At   string          `json:"at,omitempty"`   // file system and inode of Root
	Job  job.ID          `json:"job,omitempty"`
	Data json.RawMessage `json:"data,omitempty"` // of the record
}

// noteFile is the name of the file that has the note. It lies in the Dir of a job, in which
// only the driver's user can write.
const noteFile = "job.json"

// newNote returns the note of a job.
func newNote(p place, data json.RawMessage, id job.ID) note {
	return note{Boot: bootID(), Root: p.Root, At: identity(p.Root), Job: id, Data: data}
}

// bootID returns the id of this boot of the host.
func bootID() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // empty, if a container hides it
	return strings.TrimSpace(string(text))
}

// identity tells a folder from another one that is mounted or made at its path later. It is
// empty if there is none.
func identity(path string) string {
	var stat unix.Stat_t
	if path == "" || unix.Lstat(path, &stat) != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// write writes the file.
func (n note) write(dir string) error {
	content, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, noteFile), content, 0o600)
}

// readNote reads the file. A note that is broken was never whole.
func readNote(dir string) (note, bool) {
	n, err := loadNote(dir)
	return n, err == nil
}

// loadNote is readNote, and says why a note cannot be read.
func loadNote(dir string) (note, error) {
	var n note
	content, err := os.ReadFile(filepath.Join(dir, noteFile))
	if err == nil {
		err = json.Unmarshal(content, &n)
	}
	return n, err
}
