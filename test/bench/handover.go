package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/lab"
)

const (
	handoverRounds = 80
	handoverLimit  = 1.02
	handedValues   = 100 // half of them secrets
)

// handover compares a job that takes what another has handed over with one that takes nothing, and
// a job that hands over with one that writes the same lines elsewhere. All are jobs of a tenant.
func (b bencher) handover(ctx context.Context) ([]result, error) {
	gitlab, err := coordinator.Start()
	if err != nil {
		return nil, err
	}
	defer gitlab.Close()
	sts, err := fakests.Start()
	if err != nil {
		return nil, err
	}
	defer sts.Close()
	runner, err := b.startHanding(gitlab, sts)
	if err != nil {
		return nil, err
	}
	const with, without = 9001, 9002 // pipelines
	writes := func(plain, secret string) []string {
		half := handedValues / 2
		return []string{fmt.Sprintf(`for i in {1..%[1]d}; do echo "PLAIN_$i=value-of-a-plain-variable-$i"; done >> %[2]s; for i in {1..%[1]d}; do echo "SECRET_$i=correct-horse-battery-$i-staple"; done >> %[3]s`, half, plain, secret)}
	}
	hands := writes("$ROLECALL_OUT", "$ROLECALL_SECRET_OUT")
	if _, err = running(gitlab, customToken, handedJob("make", with, hands))(ctx); err != nil {
		return nil, errors.Join(err, stop(runner))
	}
	takes := fmt.Sprintf(`[ "$SECRET_%d" ]`, handedValues/2)
	samples, err := compare(ctx, handoverRounds,
		running(gitlab, customToken, handedJob("use", with, []string{takes})),
		running(gitlab, customToken, handedJob("use", without, []string{"! " + takes})),
		running(gitlab, customToken, handedJob("again", without+1, hands)),
		running(gitlab, customToken, handedJob("again", without, writes("/dev/null", "/dev/null"))))
	if err := errors.Join(err, stop(runner)); err != nil {
		return nil, err
	}
	return []result{
		{what: fmt.Sprintf("job that takes %d values", handedValues), times: samples[0], against: "job that takes none", base: samples[1], limit: handoverLimit},
		{what: fmt.Sprintf("job that hands over %d values", handedValues), times: samples[2], against: "job that hands over none", base: samples[3], limit: handoverLimit},
	}, nil
}

// handedJob is a job of a tenant in a pipeline.
func handedJob(name string, pipeline int64, script []string) coordinator.Job {
	job := tenantJob(script)
	job.Name, job.PipelineID, job.Project = name, pipeline, coordinator.Project{Path: "acme/shop"}
	job.Variables = job.Variables[:1] // the policy file names the role
	return job
}

// startHanding starts a runner with a policy file whose tenant hands over.
func (b bencher) startHanding(gitlab *coordinator.Server, sts *fakests.Server) (*lab.RunnerService, error) {
	dir := filepath.Join(b.dir, "handing")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	policy := filepath.Join(dir, "rolecall.toml")
	text := fmt.Sprintf("run_as_root = \"unsafe\"\n[gitlab]\nissuer = %q\n[handover]\nstore = \"local\"\n[[tenant]]\nname = \"alpha\"\naudience = %q\nprojects = [\"acme/*\"]\nrole_arn = %q\n", gitlab.Issuer(), audience, role)
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		return nil, err
	}
	home := filepath.Join(dir, "runner")
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	return lab.StartRunner(context.Background(), lab.RunnerOptions{
		Dir: home, Coordinator: gitlab.URL(),
		Runners: []lab.Runner{{Name: "custom", Token: customToken, Args: []string{"--config", policy}}},
		Env:     []string{"AWS_ENDPOINT_URL_STS=" + sts.URL(), "AWS_REGION=eu-central-1"},
	})
}
