package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/test/auditlog"
	"rolecall/test/coordinator"
	"rolecall/test/document"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// fleet are hosts with one policy file, which take the jobs of one runner.
type fleet []host

// Of the fleet: hosts, jobs of each tenant, and which host loses its power.
const (
	fleetHosts = 3
	fleetJobs  = 12
	darkHost   = 1
)

// newFleet starts so many hosts, and sets them up: the users of jobs by rolecall provision.
func newFleet(t *testing.T, size int) fleet {
	t.Helper()
	first := newHost(t)
	hosts := fleet{first}
	for len(hosts) < size {
		d, err := lab.UnpackDebian(t.Context(), kit.OpenDir(t))
		kit.Must(t, err)
		t.Cleanup(func() { kit.Must(t, d.Close()) })
		kit.Must(t, d.Start(t.Context()))
		h := host{d, first.world}
		kit.Must(t, h.InstallRunner(t.Context(), h.recorder.URL()))
		hosts = append(hosts, h)
	}
	for i, h := range hosts {
		kit.Must(t, os.WriteFile(filepath.Join(h.Root, "etc/hostname"), fmt.Appendf(nil, "ci-%d\n", i), 0o644))
		h.sh(t, fmt.Sprintf("hostname ci-%d", i))
		for _, s := range document.Part(t, "docs/install.md", "By hand").Steps {
			switch {
			case strings.Contains(s.Command, "useradd"), strings.HasSuffix(s.Command, "rolecall check"):
			case strings.Contains(s.Command, "restart gitlab-runner"):
				h.sh(t, "rolecall provision && systemctl enable --now gitlab-runner")
			default:
				h.do(t, s)
			}
		}
	}
	return hosts
}

// losePower kills all processes of a host at once and takes what it had in memory. Then the host
// starts again, with the id of another boot.
func (h host) losePower(t *testing.T) {
	t.Helper()
	kit.Must(t, h.Close())
	kit.Must(t, os.WriteFile(filepath.Join(h.Root, "etc/boot_id"), []byte("8f5b2f0e-6f0c-4b8e-9d5a-2f1f6a1d7c3b\n"), 0o644))
	kit.Must(t, h.Start(t.Context()))
}

// log returns the audit log of a host, which is empty before the first job.
func (h host) log() []byte {
	content, _ := os.ReadFile(filepath.Join(h.Root, "var/lib/rolecall/audit.jsonl"))
	return content
}

// events returns the lines of a host's audit log.
func (h host) events(t *testing.T) []audit.Event {
	t.Helper()
	content := h.log()
	auditlog.Check(t, content)
	var events []audit.Event
	for decoder := json.NewDecoder(bytes.NewReader(content)); decoder.More(); {
		var e audit.Event
		kit.Must(t, decoder.Decode(&e))
		events = append(events, e)
	}
	return events
}

// TestFleet: jobs of several tenants run on three hosts of one policy file, and one host loses
// its power in the middle. No job gets what is another's, nothing is left on any host, and the
// audit logs together say of each session how it ended, or that its host has died.
func TestFleet(t *testing.T) {
	t.Parallel()
	hosts := newFleet(t, fleetHosts)
	runs := hosts.enqueueAll()
	kit.Await(t, "a job of the host has credentials", func() bool {
		lines := string(hosts[darkHost].log())
		return strings.Count(lines, `"event":"issued"`) > strings.Count(lines, `"event":"ended"`)
	})
	hosts[darkHost].losePower(t)
	lost := hosts.settle(t, runs)
	for run, tenant := range runs {
		if lost[fmt.Sprint(run.ID())] {
			continue
		}
		if result := wait(t, run); result.State != "success" {
			t.Errorf("%s: %+v\n%s", tenant, result, run.Text())
		}
		contains(t, run.Text(), "this is ci-"+tenant+" on ci-")
		checkUploads(t, run, hosts[0].recorder.Secrets())
	}
	for i, h := range hosts {
		h.sh(t, "systemctl start rolecall-sweep.service")
		if left := h.left(t); left != "" {
			t.Errorf("on host %d there is left:\n%s", i, left)
		}
	}
	hosts.checkEnds(t, lost)
}

// enqueueAll gives jobs of all tenants to the fleet. It returns the runs, with the tenant of each.
func (f fleet) enqueueAll() map[*coordinator.Run]string {
	runs := map[*coordinator.Run]string{}
	for range fleetJobs {
		for _, tenant := range []string{"alpha", "beta", "none"} {
			job := f[0].shop(tenant, `echo "this is $(id -un) on $(hostname)"`, "sleep 2")
			if tenant == "none" {
				job.Variables, job.IDTokens = nil, nil
			}
			job.Artifacts, job.AfterScript = nil, nil
			runs[f[0].enqueue(sharedToken, job)] = tenant
		}
	}
	return runs
}

// left returns what is there of jobs: folders of their state, and processes of their users.
func (h host) left(t *testing.T) string {
	t.Helper()
	return h.sh(t, "ls /run/rolecall | grep -E '^[0-9]+$' || true; for user in ci-alpha ci-beta ci-none; do find /proc -maxdepth 1 -name '[1-9]*' -user $user 2> /dev/null || true; done")
}

// settle waits until no host has a job any more, and returns the ids of the jobs that have not
// ended: those of the host that lost its power.
func (f fleet) settle(t *testing.T, runs map[*coordinator.Run]string) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for run := range runs {
		kit.Must(t, run.WaitPicked(ctx))
	}
	for ctx.Err() == nil {
		idle := true
		for _, h := range f {
			idle = idle && h.left(t) == ""
		}
		if lost := unfinished(runs); idle && len(lost) > 0 && len(lost) <= 4 { // as many as a host runs at once
			return lost
		}
		time.Sleep(100 * time.Millisecond)
	}
	left := ""
	for i, h := range f {
		left += fmt.Sprintf("\nhost %d: %s", i, h.left(t))
	}
	t.Fatalf("after three minutes these jobs have not ended: %v; there is left:%s", unfinished(runs), left)
	return nil
}

// unfinished returns the ids of the runs that have not ended.
func unfinished(runs map[*coordinator.Run]string) map[string]bool {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	ids := map[string]bool{}
	for run := range runs {
		if _, err := run.Wait(ended); err != nil {
			ids[fmt.Sprint(run.ID())] = true
		}
	}
	return ids
}

// checkEnds joins the audit logs of the fleet: each job has one host and boot, and each session
// one end, but for the jobs of the host that has another boot by now.
func (f fleet) checkEnds(t *testing.T, lost map[string]bool) {
	t.Helper()
	type place struct{ job, host, boot string }
	issued, ended := map[place]int{}, map[place]int{}
	hosts, last := map[string]string{}, map[string]string{}
	policies := map[string]bool{}
	for _, h := range f {
		for _, e := range h.events(t) {
			at := place{e.JobID, e.Host, e.BootID}
			if on, known := hosts[e.JobID]; known && on != e.Host || e.BootID == "" {
				t.Errorf("job %s is on %s and on %s, boot %q", e.JobID, on, e.Host, e.BootID)
			}
			hosts[e.JobID], last[e.Host], policies[e.Policy] = e.Host, e.BootID, true
			switch e.Event {
			case audit.Issued:
				issued[at]++
			case audit.Ended, audit.Removed:
				ended[at]++
			}
		}
	}
	for at, n := range issued {
		died := lost[at.job] && last[at.host] != at.boot
		if n != 1 || ended[at] > 1 || ended[at] == 0 && !died {
			t.Errorf("job %s on %s: %d sessions, died %v, ended %d times", at.job, at.host, n, died, ended[at])
		}
	}
	if len(issued) < 2*fleetJobs-4 || len(last) != fleetHosts || len(policies) != 1 {
		t.Errorf("%d sessions on %v by the policies %v", len(issued), last, policies)
	}
}
