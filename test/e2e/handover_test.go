package e2e_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// newHandoverWorld starts a world in which jobs hand over values on their host.
func newHandoverWorld(t *testing.T) *policyWorld {
	t.Helper()
	p := newIsolatedWorld(t)
	p.letHandOver(t)
	return p
}

// letHandOver adds [handover] to the policy file.
func (p *policyWorld) letHandOver(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(p.policy)
	kit.Must(t, err)
	p.write(t, strings.Replace(string(text), "[[tenant]]", "[handover]\nstore = \"local\"\n[[tenant]]", 1))
}

// in lets a job be one of that name in a pipeline, with more variables, NAME=value.
func in(pipeline int64, name string, job coordinator.Job, variables ...string) coordinator.Job {
	job.PipelineID, job.Name = pipeline, name
	for _, text := range variables {
		key, value, _ := strings.Cut(text, "=")
		job.Variables = append(job.Variables, coordinator.Variable{Key: key, Value: value})
	}
	return job
}

// makes is a script that makes a database of a tenant, whose password is in no line of it.
func makes(tenant string) []string {
	return []string{
		`url="postgres://` + tenant + `:$(echo ` + tenant + ` hidden | sha256sum | cut -c1-32)@db/` + tenant + `"`,
		`echo "DB_URL=$url" >> "$ROLECALL_SECRET_OUT"`, `echo "VERSION=1.7-` + tenant + `" >> "$ROLECALL_OUT"`,
	}
}

// urlOf returns what makes hands over.
func urlOf(tenant string) string {
	sum := sha256.Sum256([]byte(tenant + " hidden\n"))
	return "postgres://" + tenant + ":" + hex.EncodeToString(sum[:16]) + "@db/" + tenant
}

// TestHandover is a pipeline of two jobs for each of two tenants: the first makes a database, the
// second uses it, each its own. Nothing of it is in a log or an artifact, and no other job has it.
func TestHandover(t *testing.T) {
	t.Parallel()
	testHandover(t, newHandoverWorld(t))
}

func testHandover(t *testing.T, p *policyWorld) {
	t.Helper()
	jobs := map[string]func(script ...string) coordinator.Job{"alpha": p.alpha, "beta": p.beta}
	for tenant, job := range jobs {
		first := in(900, "make: ["+tenant+"]", job(makes(tenant)...))
		first.AfterScript = []string{`echo "after: ` + urlOf(tenant) + `."`}
		log := p.succeed(t, sharedToken, first)
		contains(t, log, "handed over to later jobs of this pipeline, of tenant "+tenant, "DB_URL (secret), VERSION. Jobs on other hosts do not get it", "after: [MASKED].")
	}
	p.settle(t)
	for tenant, job := range jobs {
		use := in(900, "use: ["+tenant+"]", job(`echo "I have $DB_URL and $VERSION"`, `[ "$DB_URL" = "`+urlOf(tenant)+`" ]`, `grep -c = "$ROLECALL_IN"`), "ROLECALL_EXPECT=DB_URL VERSION")
		log := p.succeed(t, sharedToken, use)
		contains(t, log, "I have [MASKED] and 1.7-"+tenant, `handed over by earlier jobs of this pipeline: DB_URL from "make: [`+tenant+`]", VERSION from`)
		if strings.Contains(log, urlOf(tenant)) {
			t.Errorf("the log has the URL:\n%s", log)
		}
	}
	p.settle(t)
	p.checkScopes(t)
	p.settle(t)
	p.checkHandedUploads(t)
	p.settle(t)
}

// checkScopes checks that no other job has what tenant alpha has handed over.
func (p *policyWorld) checkScopes(t *testing.T) {
	t.Helper()
	const script = `echo "I have <$DB_URL$VERSION>"`
	unprotected := p.beta(script) // the other jobs of beta are of the same class: alpha's is protected
	for name, job := range map[string]coordinator.Job{
		"another pipeline": in(901, "use", p.alpha(script)),
		"no tenant":        in(900, "use", coordinator.Job{Project: coordinator.Project{ID: 43, Path: "acme/other"}, Script: []string{script}}), // alpha requires those of its project
		"another project":  in(900, "use", other(p.beta(script))),
		"another class":    in(900, "use", protected(unprotected)),
	} {
		if log := p.succeed(t, sharedToken, job); !strings.Contains(log, "I have <>") {
			t.Errorf("%s:\n%s", name, log)
		}
		p.settle(t)
	}
	refused := in(901, "use", p.alpha("echo it runs"), "ROLECALL_EXPECT=DB_URL")
	log := p.fail(t, sharedToken, refused)
	contains(t, log, "the job expects values that it does not get: DB_URL", "no job that has ended has handed it over in this pipeline", "RC114")
	if strings.Contains(log, "\nit runs") {
		t.Error("the script has run")
	}
}

// other returns the job as one of another project.
func other(job coordinator.Job) coordinator.Job {
	job.Project = coordinator.Project{ID: 43, Path: "acme/other"}
	return job
}

// protected returns the job as one of a protected ref.
func protected(job coordinator.Job) coordinator.Job {
	job.Protected = true
	return job
}

// checkHandedUploads checks that neither the job that hands over a secret nor the one that takes it
// can upload it.
func (p *policyWorld) checkHandedUploads(t *testing.T) {
	t.Helper()
	leak := []coordinator.Artifact{{Paths: []string{"leak.txt"}}}
	writer := in(902, "make", p.alpha(append(makes("alpha"), `echo "$url" > leak.txt`)...))
	reader := in(900, "leak", p.alpha(`echo "$DB_URL" > leak.txt`))
	for _, job := range []coordinator.Job{writer, reader} {
		job.Artifacts = leak
		run := p.enqueue(sharedToken, job)
		if result := wait(t, run); result.State != "failed" || len(run.Artifacts()) > 0 {
			t.Errorf("%s: %+v, %d uploads", job.Name, result, len(run.Artifacts()))
		}
		contains(t, run.Text(), `artifacts: "leak.txt": handed-over DB_URL`)
		p.settle(t)
	}
}

// TestHandoverRetried: a job that is tried again replaces what it has handed over; two jobs that hand
// over one name with different values are named, and a job that expects it fails.
func TestHandoverRetried(t *testing.T) {
	t.Parallel()
	p := newHandoverWorld(t)
	for i, value := range []string{"first", "second"} {
		p.succeed(t, sharedToken, in(900, "make", p.alpha(fmt.Sprintf(`echo "VALUE=%s" >> "$ROLECALL_OUT"`, value))))
		p.settle(t)
		log := p.succeed(t, sharedToken, in(900, "use", p.alpha(`echo "I have <$VALUE>"`)))
		contains(t, log, fmt.Sprintf("I have <%s>", []string{"first", "second"}[i]))
		p.settle(t)
	}
	p.succeed(t, sharedToken, in(900, "make too", p.alpha(`echo "VALUE=third" >> "$ROLECALL_OUT"`)))
	p.settle(t)
	const why = `VALUE: jobs "make" and "make too" have handed it over with different values`
	contains(t, p.succeed(t, sharedToken, in(900, "use", p.alpha(`echo "I have <$VALUE>"`))), "I have <>", "not taken: "+why)
	p.settle(t)
	contains(t, p.fail(t, sharedToken, in(900, "use", p.alpha("true"), "ROLECALL_EXPECT=VALUE")), why, "RC114")
	p.settle(t)
	contains(t, p.succeed(t, sharedToken, in(900, "make", p.alpha("true"))), "taken back")
	p.settle(t)
	contains(t, p.succeed(t, sharedToken, in(900, "use", p.alpha(`echo "I have <$VALUE>"`))), "I have <third>")
}

// TestHandoverAtOnce: eight jobs of a matrix hand over at once, and a job after them has all.
func TestHandoverAtOnce(t *testing.T) {
	t.Parallel()
	p := newHandoverWorld(t)
	var runs []*coordinator.Run
	for i := range 8 {
		runs = append(runs, p.enqueue(sharedToken, in(900, fmt.Sprintf("make: [%d]", i), p.alpha(fmt.Sprintf(`echo "VALUE_%d=%[1]d-$CI_JOB_ID" >> "$ROLECALL_OUT"`, i)))))
	}
	for _, run := range runs {
		if result := wait(t, run); result.State != "success" {
			t.Errorf("%+v; log:\n%s", result, run.Text())
		}
	}
	p.settle(t)
	log := p.succeed(t, sharedToken, in(900, "use", p.alpha("env | grep ^VALUE_ | sort")))
	for i, run := range runs {
		contains(t, log, fmt.Sprintf("VALUE_%d=%[1]d-%d\n", i, run.ID()))
	}
}

// TestHandoverRefuses: what a script must not make of its files is refused, nothing is handed over, and
// the runner goes on.
func TestHandoverRefuses(t *testing.T) {
	t.Parallel()
	p := newHandoverWorld(t)
	secret := filepath.Join(p.dir, "of-root")
	kit.Must(t, os.WriteFile(secret, []byte("STOLEN=of-root-alone\n"), 0o644))
	for name, test := range map[string]struct{ script, want string }{
		"a link":      {`ln -s ` + secret + ` "$ROLECALL_OUT"`, "the file of ROLECALL_OUT is not a regular file"},
		"a FIFO":      {`mkfifo "$ROLECALL_OUT"`, "the file of ROLECALL_OUT is not a regular file"},
		"a hard link": {`echo A=1 > "$ROLECALL_OUT"; ln "$ROLECALL_OUT" "$ROLECALL_OUT.2"`, "the file of ROLECALL_OUT has a second name"},
		"1 GB":        {`truncate -s 1G "$ROLECALL_OUT"`, "the file of ROLECALL_OUT has 1073741824 bytes"},
		"binary":      {`head -c 100 /dev/urandom > "$ROLECALL_OUT"`, "the file of ROLECALL_OUT is not text in UTF-8"},
		"PATH":        {`echo "PATH=/tmp" > "$ROLECALL_OUT"`, "variable PATH has a meaning"},
		"AWS":         {`echo "AWS_PROFILE=x" > "$ROLECALL_OUT"`, "variable AWS_PROFILE could change how a script or a tool runs"},
	} {
		log := p.fail(t, sharedToken, in(900, "make", p.alpha("echo GOOD=longenough > \"$ROLECALL_SECRET_OUT\"; :", test.script)))
		p.settle(t)
		contains(t, log, "nothing is handed over to later jobs", test.want, "RC115")
		if strings.Contains(log, "of-root-alone") {
			t.Errorf("%s: the log has a file of root:\n%s", name, log)
		}
	}
	contains(t, p.succeed(t, sharedToken, in(900, "use", p.alpha(`echo "I have <$GOOD$STOLEN$A>"`))), "I have <>")
	p.settle(t)
	left, err := filepath.Glob(filepath.Join(p.credentials(), "[0-9]*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %q, %v", left, err)
	}
	own, err := filepath.Glob(filepath.Join(p.dir, "builds/*/*.own/*"))
	if err != nil || len(own) > 0 {
		t.Errorf("left %q, %v", own, err)
	}
}

// TestHandoverInImages is TestHandover where the jobs of tenant alpha run in containers, once as the
// image's root and once as another user of it.
func TestHandoverInImages(t *testing.T) {
	if !kit.InUnified(t, "run containers") {
		return
	}
	w := newContainerWorld(t, "")
	w.letHandOver(t)
	as := func(user string) func(map[string]any) {
		return func(image map[string]any) {
			image["executor_opts"] = map[string]any{"docker": map[string]any{"user": user}}
		}
	}
	w.succeed(t, sharedToken, in(900, "make", w.in("ci/tool:1", w.alpha(makes("alpha")...))))
	w.settle(t)
	w.succeed(t, sharedToken, in(900, "make as 1000", w.in("ci/tool:1", w.alpha(`echo "MORE=of-another" >> "$ROLECALL_SECRET_OUT"`), as("1000"))))
	w.settle(t)
	log := w.succeed(t, sharedToken, in(900, "use", w.in("ci/tool:1", w.alpha(`echo "I have $DB_URL and $VERSION and $MORE"`, `[ "$DB_URL" = "`+urlOf("alpha")+`" ]`, `cat "$ROLECALL_IN"`)), "ROLECALL_EXPECT=DB_URL MORE"))
	contains(t, log, "I have [MASKED] and 1.7-alpha and [MASKED]", "VERSION=1.7-alpha")
}
