package inspect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/gate"
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

// TestRestrainFails: gate does not search without the limits of the job's processes.
func TestRestrainFails(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]kit.Call{"get": {Number: unix.SYS_GETRLIMIT}, "set": {Number: unix.SYS_PRLIMIT64}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !kit.InChild(t, nil) {
				return
			}
			kit.Must(t, kit.Deny(unix.EPERM, call))
			if err := inspect.Restrain(backend.Limits{OpenFiles: 700}); !errors.Is(err, unix.EPERM) || !strings.HasPrefix(err.Error(), "limit ") {
				t.Errorf("error %v", err)
			}
			order := newOrder(t)
			order.Limits.OpenFiles = 700
			text, err := json.Marshal(order)
			kit.Must(t, err)
			var out, progress bytes.Buffer
			if code := inspect.Serve(nil, nil, bytes.NewReader(text), &out, &progress); code != 1 || out.Len() > 0 {
				t.Errorf("exit code %d\n%s%s", code, &out, &progress)
			}
		})
	}
}

// TestUnlimited: an order without bounds of time and bytes searches all.
func TestUnlimited(t *testing.T) {
	t.Parallel()
	o := newOrder(t)
	o.MaxDuration, o.MaxBytes = 0, 0
	write(t, o, "leak", secret)
	check(t, serve(t, o), gate.Report{Found: []gate.Place{{Upload: "artifacts", Name: "leak", Says: "session token", Removed: true}}, Files: 1})
}
