package e2e_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// serving is a service, as GitLab sends it, that answers a text on a port.
func (w *containerWorld) serving(image, port, alias string, variables ...any) map[string]any {
	return map[string]any{
		"name": w.registry.Name(image), "alias": alias,
		"command":   []any{"sh", "-c", `mkdir -p /w; echo "$TEXT of $NAME" > /w/index.html; sleep 0.3; exec httpd -f -p ` + port + ` -h /w`},
		"variables": append([]any{variable("HEALTHCHECK_TCP_PORT", port), variable("NAME", port)}, variables...),
	}
}

// variable is a variable as GitLab sends it.
func variable(name, value string) map[string]any { return map[string]any{"key": name, "value": value} }

// with gives a job services.
func with(job coordinator.Job, services ...any) coordinator.Job {
	before := job.Mutate
	job.Mutate = func(sent map[string]any) {
		if before != nil {
			before(sent)
		}
		sent["services"] = services
	}
	return job
}

// TestServicesOfJobs: the services of a job, those that fail, and too many of them.
func TestServicesOfJobs(t *testing.T) { //nolint:tparallel // the jobs must be over before what they left is looked for
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	w := newContainerWorld(t, "wait_for_services = \"2s\"\n")
	w.push(t, "ci/db:16", v1.Config{ExposedPorts: map[string]struct{}{"5432/tcp": {}}})
	silent := w.serving("ci/tool:1", "90", "silent")
	silent["command"] = []any{"sh", "-c", "echo it hangs; echo $TEXT; sleep 1000"}
	crashes := w.serving("ci/tool:1", "91", "crashes")
	crashes["command"] = []any{"sh", "-c", "echo it crashes >&2; exit 3"}
	entry := w.serving("ci/tool:1", "92", "entry")
	entry["entrypoint"], entry["command"] = []any{"/bin/sh", "-c", "mkdir /w; echo entry > /w/index.html; exec httpd -f -p 92 -h /w"}, []any{}
	exposed := w.serving("ci/db:16", "5432", "")
	exposed["variables"] = []any{variable("TEXT", "exposed"), variable("NAME", "db")}
	same := w.serving("ci/tool:1", "80", "other", variable("TEXT", "the second"))
	noStart := w.serving("ci/tool:1", "93", "x")
	noStart["entrypoint"] = []any{"/no/such"}
	portless := map[string]any{"name": w.registry.Name("ci/tool:1"), "alias": "portless", "command": []any{"sh", "-c", "echo it ends; exit 4"}}
	get := func(of string) string { return "wget -q -O - http://" + of }
	six := make([]any, 6)
	for i := range six {
		six[i] = w.serving("ci/tool:1", "80", "s")
	}
	tests := map[string]served{
		"two": {
			[]any{w.serving("ci/tool:1", "80", "db,base", variable("TEXT", "$GREETING"), variable("COPY", "$TEXT")), w.serving("ci/tool:1", "8080", "cache", variable("TEXT", "cached"))},
			[]string{get("db"), get("base"), get("cache:8080")},
			false,
			[]string{"\nhello you of 80", "\ncached of 8080"},
		},
		"entrypoint, exposed port": {
			[]any{entry, exposed},
			[]string{get("entry:92"), get("127.0.0.1-ci-db:5432")},
			false,
			[]string{"\nentry", "\nexposed of db"},
		},
		"silent": {
			[]any{silent},
			[]string{"echo the script runs"},
			false,
			[]string{"does not listen on port 90: not in time; its log ends with:", "it hangs", "the script runs"},
		},
		"crashes":       {[]any{crashes}, []string{"echo the script runs"}, false, []string{"does not listen on port 91", "it crashes", "the script runs"}},
		"two, one port": {[]any{w.serving("ci/tool:1", "80", "one", variable("TEXT", "the first")), same}, []string{get("one")}, false, []string{"the first of 80", "both want port 80"}},
		"ends":          {[]any{portless, w.serving("ci/tool:1", "80", "one", variable("TEXT", "the first"))}, []string{get("one")}, false, []string{"has ended with 4; its log ends with:", "it ends", "the first of 80"}},
		"no such entry": {[]any{noStart}, []string{"echo NEVER"}, true, []string{"a service cannot be started", "RC131"}},
		"six":           {six, []string{"echo NEVER"}, true, []string{"there are 6, and at most 5 are allowed", "max_services", "RC112"}},
	}
	t.Run("at once", func(t *testing.T) {
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w.testServed(t, test)
			})
		}
	})
	w.settle(t)
	w.checkNothingLeft(t)
}

// served is a job with services.
type served struct {
	services []any
	script   []string
	fails    bool
	log      []string
}

// testServed runs a job with services.
func (w *containerWorld) testServed(t *testing.T, test served) {
	t.Helper()
	job := w.alpha(test.script...)
	job.Variables = append(job.Variables, coordinator.Variable{Key: "GREETING", Value: "hello you", Public: true})
	run := w.enqueue(sharedToken, with(w.in("ci/tool:1", job), test.services...))
	if result := wait(t, run); (result.State == "success") == test.fails || test.fails && result.FailureReason != "script_failure" {
		t.Errorf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), test.log...)
}
