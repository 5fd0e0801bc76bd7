package job_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestUnreadable: a response that cannot be read is not one without variables or uploads.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), "response.json")
	kit.Must(t, errors.Join(os.WriteFile(long, []byte(whole), 0o600), os.Truncate(long, 16<<20+1)))
	for path, want := range map[string]error{"/none/such": unix.ENOENT, "/proc/self/mem": unix.EIO, "/proc": unix.EISDIR, long: nil} {
		response, err := job.ReadResponse(path)
		if err == nil || want != nil && !errors.Is(err, want) || response.ID != 0 {
			t.Errorf("ReadResponse(%q) = %+v, %v", path, response, err)
		}
		uploads, err := job.ReadUploads(path)
		if err == nil || want != nil && !errors.Is(err, want) || uploads.Artifacts != nil {
			t.Errorf("ReadUploads(%q) = %+v, %v", path, uploads, err)
		}
		if key, err := job.ReadKey(path); path != long && (!errors.Is(err, want) || key.ID != 0) { // what comes after the key is not read
			t.Errorf("ReadKey(%q) = %+v, %v", path, key, err)
		}
	}
}
