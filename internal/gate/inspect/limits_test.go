package inspect_test

import (
	"os/exec"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/gate/inspect"
	"rolecall/test/kit"
)

// TestRestrain: this process and what it starts have the limits of the job's processes.
// It is not an error if the limits are lower already.
func TestRestrain(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	kit.Must(t, inspect.Restrain(backend.Limits{OpenFiles: 700, Processes: 3000, Memory: 16 << 30}))
	kit.Must(t, inspect.Restrain(backend.Limits{}))
	kit.Must(t, inspect.Restrain(backend.Limits{OpenFiles: 701, Processes: 3001, Memory: 17 << 30}))
	out, err := exec.Command("bash", "-c", "for o in n u v; do ulimit -H$o; ulimit -S$o; done | paste -sd' '").CombinedOutput()
	if want := "700 700 3000 3000 16777216 16777216\n"; err != nil || string(out) != want {
		t.Errorf("limits %q, %v, want %q", out, err, want)
	}
}
