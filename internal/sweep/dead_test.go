package sweep_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend/host"
	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// dead makes a job whose runner has died, in a cgroup below that path.
func dead(t *testing.T, root string, id job.ID, parent string) {
	t.Helper()
	runner := exec.Command("sleep", "1000")
	kit.Must(t, runner.Start())
	lease, err := state.NewLease(runner.Process.Pid, time.Hour)
	_ = runner.Process.Kill()
	_ = runner.Wait()
	kit.Must(t, err)
	data, err := json.Marshal(map[string]string{"cgroup": parent})
	kit.Must(t, err)
	trail, err := audit.NewTrail(filepath.Join(filepath.Dir(root), "audit.jsonl"), audit.Event{JobID: id.String(), Tenant: "alpha"})
	kit.Must(t, err)
	syscall.ForkLock.RLock() // a child that another test starts meanwhile would keep the folder locked
	defer syscall.ForkLock.RUnlock()
	f, err := state.Create(root, job.Key{ID: id}, state.Record{Tenant: "alpha", Lease: lease, Backend: host.Name, Data: data, Audit: trail}, "")
	kit.Must(t, err)
	f.Close()
}
