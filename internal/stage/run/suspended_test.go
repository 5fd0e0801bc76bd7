package run_test

import (
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/endpoint"
	"rolecall/internal/fault"
	"rolecall/internal/job"
	"rolecall/internal/program"
	"rolecall/internal/suspension"
	"rolecall/test/kit"
	"rolecall/test/toy"
)

// besidePolicy gives the stage and config a policy file in the folder of the call, and returns the
// file of suspensions beside it.
func (c *call) besidePolicy(t *testing.T) suspension.File {
	t.Helper()
	flags := program.Flags{Config: c.file("rolecall.toml")}
	told, err := (&program.Call{Flags: flags}).Tell(nil)
	kit.Must(t, err)
	c.args = append([]string{"--config", flags.Config}, c.args...)
	c.environ = append(c.environ, job.ToldVariable+"="+told)
	return flags.Suspensions()
}

// suspend suspends alpha, or all tenants.
func suspend(t *testing.T, f suspension.File, all, now bool) {
	t.Helper()
	s := suspension.Suspension{Tenant: "alpha", Since: time.Now(), Now: now, Reason: "a leak"}
	if all {
		s.Tenant, s.All = "", true
	}
	kit.Must(t, f.Change(func(l suspension.List) (suspension.List, error) { return l.With(s), nil }))
}

// TestSuspended: a script of the user does not start while its tenant is suspended, nor while that is
// not known. Those of the runner do, and so do all of a job without a tenant.
func TestSuspended(t *testing.T) {
	t.Parallel()
	refused := map[string]string{"alpha": `tenant "alpha" is suspended since `, "all": "all tenants are suspended since ", "broken": "it is not known which tenants are suspended, and none gets anything"}
	for how, want := range refused {
		for _, stage := range []string{"build_script", "after_script", "step_x", "get_sources", "upload_artifacts_on_failure", "cleanup_file_variables"} {
			for _, tenant := range []string{"alpha", ""} {
				c := newCall(t, tenant, stage)
				if strings.HasPrefix(stage, "upload") {
					c.edit(t, `"backend":`, `"gate":{"foreign_keys":"off"},"backend":`)
				}
				f := c.besidePolicy(t)
				if suspend(t, f, how == "all", false); how == "broken" {
					kit.Must(t, os.WriteFile(f.Path, []byte("{"), 0o600))
				}
				got := c.with(&toy.Backend{})
				is := tenant != "" && job.StageName(stage).IsUserScript()
				if strings.HasPrefix(stage, "upload") && tenant != "" {
					is, want = got.code == 0, "" // the toy has no work tree to search
				}
				if ran := strings.Contains(got.out, "the script prints"); ran == is && !strings.HasPrefix(stage, "upload") || is && got.code != 1 || is && !strings.Contains(got.log, want) {
					t.Errorf("%s, %s, %q: %+v", how, stage, tenant, got)
				}
			}
		}
	}
}

// running is a toy whose script runs until it is ended. Its tenant is suspended meanwhile.
type running struct {
	*toy.Backend

	suspend func()
	wait    time.Duration // for the end
	ended   *bool         // the script was to end without a grace
}

// Run suspends the tenant of the script, and waits for its end.
func (r running) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	r.suspend()
	select {
	case <-ctx.Done():
		*r.ended = s.Ended()
		return backend.Result{Code: 143}, nil
	case <-time.After(r.wait):
		return r.Backend.Run(ctx, data, s)
	}
}

// TestSuspendedNow: a script that runs goes on, unless the admin wants its end.
func TestSuspendedNow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		tenant, stage string
		all, now      bool
		ends          bool
	}{
		"goes on":            {"alpha", "build_script", false, false, false},
		"ends":               {"alpha", "build_script", false, true, true},
		"ends with all":      {"alpha", "after_script", true, true, true},
		"a script of runner": {"alpha", "get_sources", true, true, false},
		"no tenant":          {"", "build_script", true, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, ended, wait := newCall(t, test.tenant, test.stage).audited(t), false, time.Minute
			if !test.ends {
				wait = 2 * time.Second // four times as long as the stage needs to see it
			}
			f := c.besidePolicy(t)
			got := c.with(running{&toy.Backend{}, func() { suspend(t, f, test.all, test.now) }, wait, &ended})
			if ended != test.ends || (got.code == 1) != test.ends || strings.Contains(got.log, "[RC351]: ") != test.ends || strings.Contains(got.out, "the script prints") == test.ends {
				t.Errorf("%+v, ended %v", got, ended)
			}
			c.checkWithdrawn(t, test.stage, test.ends)
			if c.exitCode() != "" {
				t.Errorf("the runner is told of exit code %q", c.exitCode())
			}
		})
	}
}

// checkWithdrawn checks that the audit log says of a script that it was ended, or nothing.
func (c *call) checkWithdrawn(t *testing.T, stage string, ended bool) {
	t.Helper()
	var lines []audit.Event
	if _, err := os.Stat(c.file("log/audit")); err == nil {
		lines = slices.DeleteFunc(c.events(t), func(e audit.Event) bool { return e.Event == audit.Masked })
	}
	if len(lines) > 1 || (len(lines) == 1) != ended {
		t.Fatalf("the audit log has %+v", lines)
	}
	for _, e := range lines {
		if e.Event != audit.Withdrawn || e.Code != fault.Suspended || e.Stage != stage {
			t.Errorf("the audit log has %+v", e)
		}
	}
}

// TestSuspendedEndpoint: the endpoint of a script is told when the tenant is suspended, and the job
// log says so. What it has renewed meanwhile is not kept.
func TestSuspendedEndpoint(t *testing.T) {
	if !beside(t, endpoint.Program) {
		return
	}
	const want = `tenant "alpha" is suspended since `
	c := newCallWith(t, "alpha", "build_script", creds.Set{served(50 * time.Minute)}, order()).audited(t)
	f := c.besidePolicy(t)
	a, got := ask(t, c, endpoint.Message{Warning: "it waits"}, func() { suspend(t, f, false, false) })
	if a.Suspended == nil || !strings.HasPrefix(*a.Suspended, want) || got.code != 0 || !strings.Contains(got.log, "rolecall: warning: the job's credentials are not given to its script any more: "+want) {
		t.Errorf("%+v, %+v", a, got)
	}
	kit.Must(t, os.Remove(f.Path))
	if a, _ := ask(t, c, renewed(func(*creds.Credential) {}), func() { suspend(t, f, false, false) }); a.Kept || a.Suspended == nil && !strings.HasPrefix(a.Why, want) {
		t.Errorf("a renewal: %+v", a)
	}
	if is := kept(t, c); is != "0123456789abcdef" {
		t.Errorf("the state has %s", is)
	}
	for _, e := range c.events(t) {
		if e.Event == audit.Renewed {
			t.Errorf("the audit log has %+v", e)
		}
	}
}

// late is a client that comes when its tenant is suspended.
type late struct {
	client

	suspend func()
}

// Run suspends the tenant, and connects to the endpoint.
func (l late) Run(ctx context.Context, data json.RawMessage, s backend.Script) (backend.Result, error) {
	l.suspend()
	return l.client.Run(ctx, data, s)
}

// TestSuspendedBefore: an endpoint that starts while the tenant is suspended knows it from the start.
func TestSuspendedBefore(t *testing.T) {
	if !beside(t, endpoint.Program) {
		return
	}
	c := newCallWith(t, "alpha", "build_script", creds.Set{served(0)}, order())
	f := c.besidePolicy(t)
	got := c.with(late{client{&toy.Backend{}}, func() { suspend(t, f, false, false) }})
	if want := `rolecall: warning: the job's credentials are not given to its script: tenant "alpha" is suspended since `; !strings.Contains(got.log, want) {
		t.Errorf("%+v", got)
	}
}
