package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

func tick() <-chan time.Time { return time.After(20 * time.Millisecond) }

// span is from when to when a job ran.
type span struct{ from, to time.Time }

// runJobs runs the jobs of the pipeline, and shows that they ran at once and had credentials.
func (d *demo) runJobs(ctx context.Context, p pipeline) error {
	d.title("Running %d jobs on one runner", len(p.matrix))
	registry := ""
	if d.world.registry != nil {
		registry = d.world.registry.Address
	}
	jobs, specs := p.jobs(d.world.sts.RoleARN, d.world.recorder.URL(), registry)
	for i, job := range jobs {
		job.run = d.world.gitlab.Enqueue(runnerToken, specs[i])
	}
	d.jobs = jobs
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
	places, err := watch([]string{job.issued.SecretAccessKey, job.issued.SessionToken}, ended)
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
	for i, job := range d.jobs {
		other := d.jobs[1-i]
		log := job.run.Text()
		session := fmt.Sprintf("GitLabRunner-42-%d-%d", pipelineID, job.run.ID())
		switch {
		case job.result.State != "success":
			return fmt.Errorf("%s: %s, %s", job.name, job.result.State, job.result.FailureReason)
		case job.issued.AccessKeyID == "" || job.issued.AccessKeyID == other.issued.AccessKeyID:
			return fmt.Errorf("%s: STS has issued it no credentials of its own", job.name)
		case job.issued.RoleARN != job.role || job.issued.SessionName != session:
			return fmt.Errorf("%s: STS gave it %s as %s", job.name, job.issued.RoleARN, job.issued.SessionName)
		case !strings.Contains(log, "deployed by "+job.tenant) || !strings.Contains(log, "AccessDenied"):
			return fmt.Errorf("%s: its log does not show that it got into its own bucket only", job.name)
		case d.world.registry != nil && !strings.Contains(log, "\n"+greeting):
			return fmt.Errorf("%s: its log does not show that it ran in the image", job.name)
		case len(job.run.Artifacts()) == 0:
			return fmt.Errorf("%s: it has uploaded no artifact to search", job.name)
		case !slices.Equal(d.written(job, 200), []string{job.tenant}) || !slices.Equal(d.written(job, 403), []string{other.tenant}):
			return fmt.Errorf("%s: its key wrote to %v and was refused at %v", job.name, d.written(job, 200), d.written(job, 403))
		}
	}
	return nil
}

// written are the buckets that S3 answered with a status when a job's key wrote to them.
func (d *demo) written(job *tenantJob, status int) []string {
	var buckets []string
	for _, call := range d.world.recorder.Calls() {
		if call.Method == "PUT" && call.AccessKeyID == job.issued.AccessKeyID && call.Status == status {
			buckets = append(buckets, strings.Split(call.Path, "/")[1])
		}
	}
	return buckets
}

// showWho shows who each job was, by what STS and S3 know and not by what the job says.
func (d *demo) showWho() error {
	d.title("Who each one was, as STS and S3 saw it")
	var rows strings.Builder
	row := func(what string, of func(*tenantJob) string) {
		rows.WriteString("  " + what)
		for _, job := range d.jobs {
			rows.WriteString("\t" + of(job))
		}
		rows.WriteByte('\n')
	}
	row("job", func(j *tenantJob) string { return j.name })
	row("tenant", func(j *tenantJob) string { return j.tenant })
	row("role", func(j *tenantJob) string { return j.issued.RoleARN })
	row("session", func(j *tenantJob) string { return j.issued.SessionName })
	row("access key id", func(j *tenantJob) string { return j.issued.AccessKeyID })
	row("valid until", func(j *tenantJob) string { return j.issued.Expiration })
	row("wrote to", func(j *tenantJob) string { return "bucket " + strings.Join(d.written(j, 200), ", ") })
	row("was refused at", func(j *tenantJob) string { return "bucket " + strings.Join(d.written(j, 403), ", ") })
	table := tabwriter.NewWriter(d.w, 0, 0, 3, ' ', 0)
	_, err := table.Write([]byte(rows.String()))
	return errors.Join(err, table.Flush())
}
