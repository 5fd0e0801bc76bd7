package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"rolecall/test/coordinator"
)

// kind is what a job is there for.
type kind string

const (
	plain       kind = "plain"
	files       kind = "artifacts, cache"
	fails       kind = "fails"
	leaks       kind = "leaks"
	refused     kind = "refused"
	cancelled   kind = "cancelled"
	aborted     kind = "aborted"
	killPrepare kind = "prepare killed"
	killRun     kind = "run killed"
	killCleanup kind = "cleanup killed"
	compared    kind = "shell executor"
)

// nobody stands for the tenant of jobs that have none.
const nobody = "none"

// mix are the kinds of each twenty jobs. Kinds of kills take turns in the place of killRun.
func mix() []kind {
	return []kind{
		plain, plain, plain, plain, plain, plain, plain, plain, killRun, leaks,
		files, files, files, fails, fails, cancelled, cancelled, aborted, refused, killRun,
	}
}

// task is a job and what is to become of it.
type task struct {
	kind   kind
	tenant string // nobody for a job of the shell executor
	job    coordinator.Job
	boxed  bool          // it runs in a container
	code   int           // that the script fails with
	after  time.Duration // when it is cancelled, or its stage killed

	run    *coordinator.Run
	result coordinator.Result
	killed bool // whether its stage really was
}

// script is what jobs do: they say who they are, make sure that they are alone, leave
// something running, and work for a while. The lock is outside of what git cleans, and ends
// with the script, however that ends.
const script = `exec 9> "$PWD.lock"; flock -n 9 || echo "SHARED lock $PWD"
echo "began $(date +%%s%%N)"
echo "$CI_JOB_ID" > mine
[ ! -e cached/owner ] || [ "$(cat cached/owner)" = "$WHO" ] || echo "SHARED cache of $(cat cached/owner)"
echo "identity tenant=$WHO job=$CI_JOB_ID token=$(printf %%s "$AWS_SESSION_TOKEN" | sha256sum | cut -c1-64)"
echo "in $PWD as $(id -un)"
%s
for i in $(seq %d); do echo "tick $i"; sleep 0.1; done
[ "$(cat mine)" = "$CI_JOB_ID" ] || echo "SHARED by $(cat mine)"
mkdir -p cached && echo "$WHO" > cached/owner && echo "$WHO $CI_JOB_ID" > result.txt
echo "ended $(date +%%s%%N)"
%s`

// afterScript says again who the job is.
const afterScript = `echo "identity tenant=$WHO job=$CI_JOB_ID token=$(printf %s "$AWS_SESSION_TOKEN" | sha256sum | cut -c1-64)"`

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// plan returns the tasks in a random order.
func (w *world) plan(o options) []*task {
	random := newRandom(o.seed)
	var tasks []*task
	kills := 0
	for i := range o.jobs {
		t := &task{kind: mix()[i%len(mix())], tenant: tenantName(i % o.tenants)}
		if t.kind == killRun {
			t.kind = []kind{killRun, killPrepare, killCleanup}[kills%3]
			kills++
		}
		tasks = append(tasks, t)
	}
	// Whose tenant is which kind must not follow from the mix.
	random.Shuffle(len(tasks), func(i, j int) { tasks[i].tenant, tasks[j].tenant = tasks[j].tenant, tasks[i].tenant })
	for range max(o.jobs/5, 4) {
		tasks = append(tasks, &task{kind: compared, tenant: nobody})
	}
	random.Shuffle(len(tasks), func(i, j int) { tasks[i], tasks[j] = tasks[j], tasks[i] })
	for i, t := range tasks {
		w.box(t, i)
		w.fill(t, random)
	}
	return tasks
}

// countBoxed returns how many tasks run in containers.
func countBoxed(tasks []*task) int {
	n := 0
	for _, t := range tasks {
		if t.boxed {
			n++
		}
	}
	return n
}

// fill makes the job of a task.
func (w *world) fill(t *task, random *rand.Rand) {
	ticks, last := 1+random.IntN(20), "true"
	t.job = coordinator.Job{
		Mutate:      t.job.Mutate,
		Project:     project(),
		Protected:   true,
		AfterScript: []string{afterScript},
		Variables:   []coordinator.Variable{{Key: "WHO", Value: t.tenant}},
	}
	if t.kind != compared {
		t.job.IDTokens = map[string]string{"GITLAB_OIDC_TOKEN": audience(t.tenant)}
		t.job.Variables = append(t.job.Variables, coordinator.Variable{Key: "TENANT", Value: t.tenant})
	}
	switch t.kind {
	case files:
		t.job.Artifacts = []coordinator.Artifact{{Paths: []string{"result.txt"}}}
		t.job.Cache = []coordinator.Cache{{Key: "soak", Paths: []string{"cached"}}}
	case fails:
		t.code = 1 + random.IntN(250)
		last = fmt.Sprintf("env; exit %d", t.code) // with all secrets, which must be masked
	case leaks:
		last = []string{"env > leak.txt", `cp "$ROLECALL_ENV_FILE" leak.txt`, `printf %s "$AWS_SECRET_ACCESS_KEY" | base64 > leak.txt`}[random.IntN(3)]
		t.job.Artifacts = []coordinator.Artifact{{Paths: []string{"result.txt", "leak.txt"}}}
	case refused:
		[]func(){
			func() { t.job.Protected = false },
			func() { t.job.Ref = "other" },
			func() { t.job.Project = coordinator.Project{ID: 43, Path: "acme/other"} },
			func() { t.job.IDTokens["GITLAB_OIDC_TOKEN"] = "https://other.example" },
		}[random.IntN(4)]()
	case cancelled, aborted:
		ticks, t.after = 300, time.Duration(random.IntN(4000))*time.Millisecond
	case plain, compared: // The same work on both executors: git's times differ too much.
		t.job.Variables = append(t.job.Variables, coordinator.Variable{Key: "GIT_STRATEGY", Value: "none"})
	case killPrepare:
		t.after = time.Duration(random.IntN(4000)) * time.Microsecond
		if t.boxed { // it makes the container
			t.after *= 300
		}
	case killCleanup: // It takes a few milliseconds.
		t.after = time.Duration(random.IntN(1000)) * time.Microsecond
	case killRun:
		t.after = time.Duration(random.IntN(ticks*90)) * time.Millisecond
	}
	daemon := "setsid sleep " + w.marker + " > /dev/null 2>&1 9>&- &"
	if t.kind == compared {
		daemon = "" // Nobody would end it.
	}
	t.job.Script = []string{fmt.Sprintf(script, daemon, ticks, last)}
}
