package run_test

import (
	"io"
	"strings"
	"testing"

	"rolecall/internal/creds/aws"
	"rolecall/internal/journal"
	"rolecall/internal/stage/run"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// TestRefusedUploadInJournal: the journal of the host has what a job log past the runner's
// output_limit has not: the refusal with its files.
func TestRefusedUploadInJournal(t *testing.T) {
	t.Parallel()
	if !besideGate(t) {
		return
	}
	c := newUpload(t, "upload_artifacts_on_success", `{"max_bytes":1000000,"max_duration":60000000000}`, map[string]string{"a": "x0123456789abcdef"})
	next := kit.Listen(t, c.file("journal"))
	stage := run.New(run.Parts{Backends: []run.Backend{treed{&toy.Backend{}}}, Providers: []run.Provider{aws.Scripts{}}})
	stage.Journal = journal.Log{Journal: c.file("journal")}
	code := stage.Serve(c.args, c.environ, nil, io.Discard, io.Discard)
	line := next()
	for _, want := range []string{"secrets are in what would be uploaded", "artifacts: \"out/a\": secret", "JOB_ID=7\n", "TENANT=alpha\n", "CODE=RC108\n"} {
		if !strings.Contains(line, want) || code != 1 {
			t.Errorf("exit code %d, and the journal has %q, want %q in it", code, line, want)
		}
	}
	if strings.Contains(line, "0123456789abcdef") {
		t.Errorf("the journal has the secret: %q", line)
	}
}
