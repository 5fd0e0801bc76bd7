package history_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"rolecall/internal/admin/history"
	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
	"rolecall/test/kit"
)

// TestCloseWithdrawn: what a broker has withdrawn has ended, and a job whose script was ended ends
// with its cleanup.
func TestCloseWithdrawn(t *testing.T) {
	t.Parallel()
	for program, test := range map[string]struct {
		fields string
		want   audit.Kind
	}{
		"broker": {`"client":"10.0.3.7"`, audit.Withdrawn},
		"run":    {`"stage":"step_script"`, audit.Ended},
	} {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		const common = `{"time":"2026-02-03T04:05:0%d.000Z","event":"%s","host":"ci-1","version":"0.1.0","tenant":"alpha","job_id":"7","iss":"i","program":"%s",%s}` + "\n"
		text := fmt.Sprintf(common, 1, "issued", "prepare", `"allowed":true,"access_key_id":"ASIA7"`) +
			fmt.Sprintf(common, 2, "withdrawn", program, `"allowed":false,"code":"RC351","side":"runner-admin","reason":"r",`+test.fields) +
			fmt.Sprintf(common, 3, "ended", "cleanup", `"began":"2026-02-03T04:05:00.000Z"`)
		kit.Must(t, os.WriteFile(path, []byte(text), 0o600))
		log, err := reading.Open(path)
		kit.Must(t, err)
		found, _ := history.Who(log, "ASIA7")
		history.Close(log, found)
		if len(found) != 1 || found[0].End == nil || found[0].End.Event != test.want {
			t.Errorf("%s: %+v", program, found)
		}
		log.Close()
	}
}
