package job_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestReadHuge: a sparse file of 200 MB is refused in little time.
func TestReadHuge(t *testing.T) {
	t.Parallel()
	path := write(t, `{"id":1}`)
	kit.Must(t, os.Truncate(path, 200<<20))
	begin := time.Now()
	_, err := job.ReadResponse(path)
	if err == nil || !strings.Contains(err.Error(), "is larger than 16 MiB") {
		t.Errorf("error %v, want one of the size", err)
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("it took %v to refuse", took)
	}
}

// TestReadAtTheLimit: a response of exactly the limit is read.
func TestReadAtTheLimit(t *testing.T) {
	t.Parallel()
	document := []byte(`{"id":1,"job_info":{"project_id":2,"pipeline_id":3}}`)
	full := append(document, bytes.Repeat([]byte(" "), 16<<20-len(document))...)
	if got, err := job.ReadResponse(write(t, string(full))); err != nil || got.ID != 1 {
		t.Errorf("16 MiB: %v, %v, want job 1", got.ID, err)
	}
	if _, err := job.ReadResponse(write(t, string(full)+" ")); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("16 MiB and a byte: error %v, want one of the size", err)
	}
}

// TestTimeoutThatOverflows: a timeout that time.Duration cannot hold must not become a
// short one.
func TestTimeoutThatOverflows(t *testing.T) {
	t.Parallel()
	got, err := job.ReadResponse(write(t, `{"id":1,"job_info":{"project_id":2,"pipeline_id":3},"runner_info":{"timeout":18446744074}}`))
	if err == nil && got.Timeout < 24*time.Hour {
		t.Errorf("a timeout of 585 years is read as %v", got.Timeout)
	}
}
