package e2e_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// storesWorld is a world whose jobs hand over values by a store on another host.
type storesWorld struct {
	*policyWorld

	base    string        // the policy file without [handover]
	store   *lab.Recorder // before the bucket
	started string        // a folder that jobs can write to
}

// newStoresWorld starts a world, and a recorder before the buckets of its tenants.
func newStoresWorld(t *testing.T) *storesWorld {
	t.Helper()
	w := &storesWorld{policyWorld: newIsolatedWorld(t)}
	content, err := os.ReadFile(w.policy)
	kit.Must(t, err)
	w.base, w.started = string(content), filepath.Join(w.dir, "started")
	kit.Must(t, os.Mkdir(w.started, 0o700))
	kit.Must(t, os.Chmod(w.started, 0o777))
	w.store, err = lab.Record(w.minio.URL)
	kit.Must(t, err)
	t.Cleanup(w.store.Close)
	return w
}

// sealKey returns the path of a key with that name, which is made if there is none.
func (w *storesWorld) sealKey(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(w.dir, name+".key")
	if _, err := os.Stat(path); err != nil {
		raw := fmt.Appendf(nil, "%-32s", name+"abcdefghijklmnopqrstuvwxyz0123")[:32]
		kit.Must(t, os.WriteFile(path, []byte(base64.StdEncoding.EncodeToString(raw)+"\n"), 0o600))
	}
	return path
}

// handOver writes the policy file: values go to the bucket of each tenant, sealed with the first of
// the keys. Settings are more lines of alpha.
func (w *storesWorld) handOver(t *testing.T, settings string, keys ...string) {
	t.Helper()
	for i, key := range keys {
		keys[i] = fmt.Sprintf("%q", w.sealKey(t, key))
	}
	w.write(t, w.base+fmt.Sprintf("[tenant.handover]\nbucket = \"beta\"\n[handover]\nstore = \"s3\"\nbucket = \"alpha\"\nendpoint = %q\nseal_key_files = [%s]\n", w.store.URL(), strings.Join(keys, ", ")))
	w.serveAs(t, settings, "")
}

// The pipeline of these tests, and one before it.
const (
	thisPipeline = 70
	lastPipeline = 69
)

// writer is a job that hands over a secret and a plain value. The log has the script: no line of it
// has the secret.
func (w *storesWorld) writer(tenant string, script ...string) coordinator.Job {
	job := w.job(tenant, append(script,
		`printf 'DB_URL=%s-%s-%s\n' hunter2 hunter2 `+tenant+` >> "$ROLECALL_SECRET_OUT"`,
		`echo "VERSION=1-`+tenant+`" >> "$ROLECALL_OUT"`)...)
	job.Name, job.PipelineID, job.Protected = "make: ["+tenant+"]", thisPipeline, true
	return w.asBeta(tenant, job)
}

// reader is a job that needs both values, and writes them to its log and to an artifact.
func (w *storesWorld) reader(tenant string, script ...string) coordinator.Job {
	job := w.job(tenant, append([]string{`echo "has <$DB_URL> <$VERSION>"`, `test "$DB_URL" = "$(printf '%s-%s-%s' hunter2 hunter2 ` + tenant + `)"`}, script...)...)
	job.Name, job.PipelineID, job.Protected = "use: ["+tenant+"]", thisPipeline, true
	job.Variables = append(job.Variables, coordinator.Variable{Key: "ROLECALL_EXPECT", Value: "DB_URL VERSION"})
	return w.asBeta(tenant, job)
}

// asBeta gives a job of beta the token that the policy wants of it.
func (w *storesWorld) asBeta(tenant string, job coordinator.Job) coordinator.Job {
	if tenant == "beta" {
		job.IDTokens["BETA_ID_TOKEN"] = audience("beta")
	}
	return job
}

// pass runs a job to its success. Its log must have no secret of a tenant.
func (w *storesWorld) pass(t *testing.T, job coordinator.Job) string {
	t.Helper()
	w.settle(t)
	log := w.succeed(t, sharedToken, job)
	if strings.Contains(log, "hunter2-hunter2") {
		t.Errorf("the log has the secret:\n%s", log)
	}
	return log
}

// refuse runs a job that must fail for that reason, with these texts in its log, and its script must
// not have run.
func (w *storesWorld) refuse(t *testing.T, job coordinator.Job, reason string, texts ...string) {
	t.Helper()
	w.settle(t)
	run := w.enqueue(sharedToken, job)
	if result := wait(t, run); result.State != "failed" || result.FailureReason != reason {
		t.Errorf("%+v, want %s; log:\n%s", result, reason, run.Text())
	}
	contains(t, run.Text(), texts...)
	if strings.Contains(run.Text(), "has <") || strings.Contains(run.Text(), "hunter2-hunter2") {
		t.Errorf("the script has run, or the log has the secret:\n%s", run.Text())
	}
}

// count returns the requests to the bucket that do has made.
func (w *storesWorld) count(do func()) string {
	before := len(w.store.Calls())
	do()
	var all []string
	for _, call := range w.store.Calls()[before:] {
		what := call.Method
		if what == "GET" && !strings.Contains(call.Path, "/protected/") {
			what = "LIST"
		}
		all = append(all, what)
	}
	return strings.Join(all, " ")
}

// TestHandoverBucket: jobs hand over values by the bucket of their tenant, in a real MinIO.
func TestHandoverBucket(t *testing.T) {
	t.Parallel()
	w := newStoresWorld(t)
	w.handOver(t, "", "one")
	for _, part := range []struct {
		name string
		test func(*testing.T)
	}{
		{"matrix", w.testMatrix},
		{"others", w.testOthers},
		{"forged", w.testForged},
		{"clocks", w.testClocks},
		{"keys", w.testKeys},
		{"away", w.testAway},
		{"endpoint", w.testEndpoint},
	} {
		if !t.Run(part.name, part.test) {
			break
		}
	}
	w.settle(t)
	w.checkNothingLeft(t)
}

// testMatrix: the second job of each tenant uses what the first has made, each only its own; a
// writer makes one PUT, and a reader one LIST and one GET for each writer.
func (w *storesWorld) testMatrix(t *testing.T) {
	for _, tenant := range []string{"alpha", "beta"} {
		var log string
		if got := w.count(func() { log = w.pass(t, w.writer(tenant)) }); got != "LIST PUT" {
			t.Errorf("%s: a writer makes the requests %s", tenant, got)
		}
		contains(t, log, "handed over to later jobs of this pipeline, of tenant "+tenant+" and protected refs", "DB_URL (secret), VERSION")
	}
	for _, tenant := range []string{"alpha", "beta"} {
		var log string
		if got := w.count(func() { log = w.pass(t, w.reader(tenant)) }); got != "LIST GET" {
			t.Errorf("%s: a reader makes the requests %s", tenant, got)
		}
		contains(t, log, "has <[MASKED]> <1-"+tenant+">")
	}
	leak := w.reader("alpha", `echo "$DB_URL" > leak.txt`)
	leak.Artifacts = []coordinator.Artifact{{Paths: []string{"leak.txt"}}}
	w.settle(t)
	run := w.enqueue(sharedToken, leak)
	if result := wait(t, run); result.State != "failed" || len(run.Artifacts()) > 0 {
		t.Errorf("an artifact with the secret: %+v\n%s", result, run.Text())
	}
	contains(t, run.Text(), "RC108")
	content, err := os.ReadFile(w.audit())
	kit.Must(t, err)
	contains(t, string(content), `"event":"handed_over"`, `"event":"taken"`, `"store":"s3"`)
	if strings.Contains(string(content), "hunter2") || strings.Contains(string(content), "1-alpha") {
		t.Errorf("the audit log has a value")
	}
}

// testOthers: jobs of another pipeline or trust class see nothing.
func (w *storesWorld) testOthers(t *testing.T) {
	other := w.reader("alpha")
	other.PipelineID = lastPipeline
	w.refuse(t, other, "script_failure", "RC114", "DB_URL: no job that has ended has handed it over in this pipeline")
	unprotected := w.reader("beta")
	unprotected.Protected = false
	w.refuse(t, unprotected, "script_failure", "RC114")
}
