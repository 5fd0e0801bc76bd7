package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// lastStage is the stage whose jobs deploy.
const lastStage = "deploy"

func tick() <-chan time.Time { return time.After(20 * time.Millisecond) }

// span is from when to when a job ran.
type span struct{ from, to time.Time }

// runJobs runs the jobs of the pipeline, a stage after the other.
func (d *demo) runJobs(ctx context.Context, p pipeline) error {
	roles := map[string]string{}
	for tenant := range p.tenants() {
		roles[tenant] = d.world.sts.RoleARN(tenant)
	}
	registry := ""
	if d.world.registry != nil {
		registry = d.world.registry.Address
	}
	for _, stage := range p.Stages {
		jobs := p.jobs(stage, roles, d.world.recorder.URL(), registry)
		d.title("Running stage %s: %d jobs on one runner", stage, len(jobs))
		d.jobs = append(d.jobs, jobs...)
		if err := d.runStage(ctx, jobs); err != nil {
			return err
		}
		if slices.ContainsFunc(jobs, func(j *tenantJob) bool { return j.result.State != "success" }) {
			return nil // no later stage runs; checkJobs says why
		}
	}
	return nil
}

// runStage runs the jobs of a stage, and shows that they ran at once and had credentials.
func (d *demo) runStage(ctx context.Context, jobs []*tenantJob) error {
	for _, job := range jobs {
		job.run = d.world.gitlab.Enqueue(runnerToken, job.spec)
	}
	spans, errs := make([]span, len(jobs)), make([]error, len(jobs))
	var all sync.WaitGroup
	for i, job := range jobs {
		all.Go(func() { spans[i], errs[i] = d.follow(ctx, job) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	from := slices.MaxFunc(spans, func(a, b span) int { return a.from.Compare(b.from) }).from
	to := slices.MinFunc(spans, func(a, b span) int { return a.to.Compare(b.to) }).to
	if !from.Before(to) {
		return errors.New("the jobs did not run at once")
	}
	d.line("  They ran at once for %.1f s.", to.Sub(from).Seconds())
	return nil
}

// follow follows a job to its end.
func (d *demo) follow(ctx context.Context, job *tenantJob) (span, error) {
	if err := job.run.WaitPicked(ctx); err != nil {
		return span{}, err
	}
	s := span{from: time.Now()}
	d.line("  %s has started", job.name)
	ended, watched := make(chan struct{}), make(chan error, 1)
	go func() { watched <- d.watchJob(job, ended) }()
	var err error
	job.result, err = job.run.Wait(ctx)
	s.to = time.Now()
	close(ended)
	if err := errors.Join(err, <-watched); err != nil {
		return s, err
	}
	d.line("  %s has ended: %s, %.1f s", job.name, job.result.State, job.result.Took.Seconds())
	return s, nil
}

// watchJob waits for the job's credentials, and says where they lie. A job that fails without
// any shows why in its log.
func (d *demo) watchJob(job *tenantJob, ended <-chan struct{}) error {
	for !d.findIssued(job) {
		select {
		case <-ended:
			return nil
		case <-tick():
		}
	}
	places, err := d.world.watch([]string{job.issued.SecretAccessKey, job.issued.SessionToken}, ended)
	if err == nil {
		d.line("  %s has its credentials, in %s", job.name, places)
	}
	return err
}

// findIssued finds what STS issued to a job, by the ID token that it was shown.
func (d *demo) findIssued(job *tenantJob) bool {
	for _, issued := range d.world.recorder.Issued() {
		if issued.AccessKeyID != "" && issued.IDToken == job.run.IDToken("GITLAB_OIDC_TOKEN") {
			job.issued = issued
			return true
		}
	}
	return false
}

// checkJobs reports what is not as it must be with a job.
func (d *demo) checkJobs() error {
	var errs []error
	for _, job := range d.jobs {
		err := d.checkJob(job)
		if err == nil && job.stage == lastStage {
			err = d.checkDeployed(job)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", job.name, err))
		}
	}
	return errors.Join(errs...)
}

// checkJob reports what is not as it must be with any job.
func (d *demo) checkJob(job *tenantJob) error {
	session := fmt.Sprintf("GitLabRunner-42-%d-%d", pipelineID, job.run.ID())
	same := func(other *tenantJob) bool { return other != job && other.issued.AccessKeyID == job.issued.AccessKeyID }
	switch {
	case job.result.State != "success":
		return fmt.Errorf("%s, %s", job.result.State, job.result.FailureReason)
	case job.issued.AccessKeyID == "" || slices.ContainsFunc(d.jobs, same):
		return errors.New("STS has issued it no credentials of its own")
	case job.issued.RoleARN != job.role || job.issued.SessionName != session:
		return fmt.Errorf("STS gave it %s as %s", job.issued.RoleARN, job.issued.SessionName)
	case d.world.registry != nil && job.stage == lastStage && !strings.Contains(job.run.Text(), "\n"+greeting):
		return errors.New("its log does not show that it ran in the image")
	case len(job.run.Artifacts()) == 0:
		return errors.New("it has uploaded no artifact to search")
	}
	return nil
}

// checkDeployed reports what is not as it must be with a job that deploys.
func (d *demo) checkDeployed(job *tenantJob) error {
	log, others := job.run.Text(), []string{}
	for _, other := range d.jobs {
		if other.stage == job.stage && other != job {
			others = append(others, other.tenant)
		}
	}
	made := d.handed(job)
	switch {
	case !strings.Contains(log, "deployed by "+job.tenant) || !strings.Contains(log, "AccessDenied"):
		return errors.New("its log does not show that it got into its own bucket only")
	case !slices.Equal(d.written(job, http.StatusOK), []string{job.tenant}) || !slices.Equal(d.written(job, http.StatusForbidden), others):
		return fmt.Errorf("its key wrote to %v and was refused at %v", d.written(job, http.StatusOK), d.written(job, http.StatusForbidden))
	case !strings.HasPrefix(made, "postgres://"+job.tenant+":") || !strings.HasSuffix(made, "@db.example/"+job.tenant):
		return errors.New("it was not handed the database of its tenant")
	case !strings.Contains(log, job.tenant+" has version 15 at [MASKED]"):
		return errors.New("its log does not mask the database of its tenant")
	}
	return nil
}

// handed is the URL of the database that a job has put into its bucket; empty: it has put none.
func (d *demo) handed(job *tenantJob) string {
	for _, call := range d.world.recorder.Calls() {
		if call.AccessKeyID == job.issued.AccessKeyID && call.Path == "/"+job.tenant+"/app.env" {
			url, _ := strings.CutPrefix(call.Body, "DB_URL=")
			return url
		}
	}
	return ""
}

// made are the URLs of databases that jobs were handed.
func (d *demo) made() []string {
	var urls []string
	for _, job := range d.jobs {
		if url := d.handed(job); url != "" {
			urls = append(urls, url)
		}
	}
	return urls
}

// written are the buckets that S3 answered with a status when a job's key wrote to them.
func (d *demo) written(job *tenantJob, status int) []string {
	var buckets []string
	for _, call := range d.world.recorder.Calls() {
		if call.Method == http.MethodPut && call.AccessKeyID == job.issued.AccessKeyID && call.Status == status {
			buckets = append(buckets, strings.Split(call.Path, "/")[1])
		}
	}
	return slices.Compact(buckets)
}

// showWho shows who each job was, by what STS and S3 know and not by what the job says.
func (d *demo) showWho() error {
	d.title("Who each one was, as STS and S3 saw it")
	var rows strings.Builder
	row := func(what string, of func(*tenantJob) string) {
		rows.WriteString("  " + what)
		for _, job := range d.jobs {
			if job.stage == lastStage {
				rows.WriteString("\t" + of(job))
			}
		}
		rows.WriteByte('\n')
	}
	row("job", func(j *tenantJob) string { return j.name })
	row("tenant", func(j *tenantJob) string { return j.tenant })
	row("role", func(j *tenantJob) string { return j.issued.RoleARN })
	row("session", func(j *tenantJob) string { return j.issued.SessionName })
	row("access key id", func(j *tenantJob) string { return j.issued.AccessKeyID })
	row("valid until", func(j *tenantJob) string { return j.issued.Expiration })
	row("wrote to", func(j *tenantJob) string { return "bucket " + strings.Join(d.written(j, http.StatusOK), ", ") })
	row("was refused at", func(j *tenantJob) string { return "bucket " + strings.Join(d.written(j, http.StatusForbidden), ", ") })
	row("was handed", func(j *tenantJob) string { return withoutPassword(d.handed(j)) })
	table := tabwriter.NewWriter(d.w, 0, 0, 3, ' ', 0)
	_, err := table.Write([]byte(rows.String()))
	return errors.Join(err, table.Flush())
}

// withoutPassword returns a URL without its password.
func withoutPassword(text string) string {
	parsed, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return parsed.Redacted()
}
