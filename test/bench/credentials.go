package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/lab"
)

const (
	prepareRounds = 300
	awsRounds     = 15
	curlLimit     = 0.75
	curlAim       = 0.65
	awsLimit      = 30
	policyLimit   = 1.3
	audience      = "https://gitlab.example.com"
	role          = "arn:aws:iam::111122223333:role/deploy"
)

// issuer gets credentials from a fake STS in several ways.
type issuer struct {
	bencher
	gitlab *coordinator.Server
	sts    *fakests.Server
	home   string   // empty
	told   []string // what the config stage has handed on without a policy file
	job    int64    // the last one

	more []string                                      // variables of the stages beside the others
	asks int                                           // requests of a prepare to STS
	then func(ctx context.Context, env []string) error // between prepare and cleanup; nil: nothing is
}

// credentials compares the prepare stage with what a job's author would write in its place.
func (b bencher) credentials(ctx context.Context) ([]result, error) {
	i, err := b.newIssuer()
	if err != nil {
		return nil, err
	}
	defer i.close()
	if err := i.configure(ctx); err != nil {
		return nil, err
	}
	if _, err := i.plainly(ctx); err != nil { // It shows the others what to ask.
		return nil, err
	}
	post := filepath.Join(b.dir, "post")
	if err := build(ctx, post, "./test/bench/floor/post"); err != nil {
		return nil, err
	}
	plain, err := i.againstCurl(ctx, post)
	if err != nil {
		return nil, err
	}
	secured, err := i.overTLS(ctx, post)
	if err != nil {
		return nil, err
	}
	policy, err := i.againstPolicy(ctx)
	if err != nil {
		return nil, err
	}
	return i.againstAWS(ctx, append(append([]result{plain}, secured...), policy))
}

// againstCurl compares prepare with curl, and with the least Go program, over plain HTTP.
func (i *issuer) againstCurl(ctx context.Context, post string) (result, error) {
	samples, err := compare(ctx, prepareRounds, i.plainly,
		func(ctx context.Context) (time.Duration, error) { return i.curl(ctx, i.sts.URL()) },
		func(ctx context.Context) (time.Duration, error) { return i.post(ctx, post, i.sts.URL()) })
	if err != nil {
		return result{}, err
	}
	return result{
		what: "prepare, to credentials", times: samples[0], against: "curl, the same POST", base: samples[1], floor: samples[2], limit: curlLimit, aim: curlAim,
	}, nil
}

// newIssuer starts the servers of an issuer.
func (b bencher) newIssuer() (*issuer, error) {
	i := &issuer{bencher: b, home: filepath.Join(b.dir, "home"), job: time.Now().UnixMicro(), asks: 1}
	var err error
	if i.gitlab, err = coordinator.Start(); err != nil {
		return nil, err
	}
	if i.sts, err = fakests.Start(); err != nil {
		i.gitlab.Close()
		return nil, err
	}
	return i, os.MkdirAll(i.home, 0o700)
}

// close ends the servers.
func (i *issuer) close() {
	i.sts.Close()
	i.gitlab.Close()
}

// againstPolicy compares prepare with a policy file, which decides and verifies the
// token by keys that are kept, with prepare without one.
func (i *issuer) againstPolicy(ctx context.Context) (result, error) {
	byPolicy, err := i.byPolicy(ctx, "alone", fmt.Sprintf("role_arn = %q\n", role))
	if err != nil {
		return result{}, err
	}
	samples, err := compare(ctx, prepareRounds, byPolicy, i.plainly)
	if err != nil {
		return result{}, err
	}
	return result{
		what: "prepare with a policy file, keys warm", times: samples[0],
		against: "prepare without", base: samples[1], limit: policyLimit,
	}, nil
}

// byPolicy returns prepare with a policy file of that name, whose tenant gives what the text says.
func (i *issuer) byPolicy(ctx context.Context, name, gives string) (contender, error) {
	path := filepath.Join(i.dir, name+".toml")
	text := fmt.Sprintf("run_as_root = \"unsafe\"\n[gitlab]\nissuer = %q\n[[tenant]]\nname = \"alpha\"\naudience = %q\nprojects = [\"acme/*\"]\nprotected = true\n%s",
		i.gitlab.Issuer(), audience, gives)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return nil, err
	}
	flags := []string{"--config", path}
	told, err := i.configured(ctx, flags...)
	return func(ctx context.Context) (time.Duration, error) { return i.prepare(ctx, told, flags...) }, err
}

// plainly is prepare without a policy file.
func (i *issuer) plainly(ctx context.Context) (time.Duration, error) {
	return i.prepare(ctx, i.told, lab.AsRoot()...)
}

// againstAWS adds the comparison with the aws CLI, where there is one.
func (i *issuer) againstAWS(ctx context.Context, results []result) ([]result, error) {
	r := result{what: "prepare, to credentials", against: "aws sts", limit: awsLimit, inverse: true}
	program, err := exec.LookPath("aws")
	if err != nil {
		r.note = "no aws on the PATH; apt-get install awscli"
		return append(results, r), nil
	}
	r.against = program + " sts"
	samples, err := compare(ctx, awsRounds, i.plainly, i.aws)
	if err != nil {
		return nil, err
	}
	r.times, r.base = samples[0], samples[1]
	return append(results, r), nil
}

// configure asks the config stage of a runner without a policy file.
func (i *issuer) configure(ctx context.Context) (err error) {
	i.told, err = i.configured(ctx, lab.AsRoot()...)
	return err
}

// configured asks the config stage, as the runner does once a job, and returns what it hands on.
// There is no job yet: a policy file then decides on one that asks for nothing.
func (i *issuer) configured(ctx context.Context, flags ...string) ([]string, error) {
	response := filepath.Join(i.dir, "response.json")
	if err := os.WriteFile(response, []byte(`{"id":1,"job_info":{"project_id":42,"pipeline_id":4242}}`), 0o600); err != nil {
		return nil, err
	}
	out, err := command(ctx, []string{"JOB_RESPONSE_FILE=" + response}, i.programs.Config, flags...).Output()
	if err != nil {
		return nil, err
	}
	var config struct {
		JobEnv map[string]string `json:"job_env"`
	}
	if err := json.Unmarshal(out, &config); err != nil {
		return nil, err
	}
	var told []string
	for name, value := range config.JobEnv {
		told = append(told, name+"="+value)
	}
	return told, nil
}

// prepare measures the stage for a new job, as the runner starts it.
func (i *issuer) prepare(ctx context.Context, told []string, flags ...string) (time.Duration, error) {
	env, err := i.next(told)
	if err != nil {
		return 0, err
	}
	issued := len(i.sts.Requests())
	took, err := timed(command(ctx, env, i.programs.Prepare, flags...))
	if err == nil && i.then != nil {
		err = i.then(ctx, env)
	}
	_, cleaned := timed(command(context.WithoutCancel(ctx), env, i.programs.Cleanup, flags...))
	if err := errors.Join(err, cleaned); err != nil {
		return 0, err
	}
	if got := len(i.sts.Requests()) - issued; got != i.asks {
		return 0, fmt.Errorf("prepare made %d requests to STS, want %d", got, i.asks)
	}
	return took, nil
}

// next returns the variables of the stages of a new job.
func (i *issuer) next(told []string) ([]string, error) {
	i.job++
	token := i.gitlab.SignToken(i.claims())
	response := filepath.Join(i.dir, "response.json")
	content, err := json.Marshal(i.response(token))
	if err == nil {
		err = os.WriteFile(response, content, 0o600)
	}
	env := append([]string{
		"HOME=" + i.home, "AWS_REGION=eu-central-1", "AWS_ENDPOINT_URL_STS=" + i.sts.URL(),
		"JOB_RESPONSE_FILE=" + response,
		"CUSTOM_ENV_TENANT=alpha", "CUSTOM_ENV_ROLE_ARN=" + role, "CUSTOM_ENV_GITLAB_OIDC_TOKEN=" + token,
		"CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=" + filepath.Join(i.dir, "builds", "project.tmp"),
	}, told...)
	return append(env, i.more...), err
}

// claims are those of the job's ID token.
func (i *issuer) claims() map[string]any {
	id := strconv.FormatInt(i.job, 10)
	return map[string]any{
		"iss": i.gitlab.Issuer(), "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"sub":    "project_path:acme/shop:ref_type:branch:ref:main",
		"job_id": id, "project_id": "42", "job_project_id": "42", "pipeline_id": "4242",
		"namespace_path": "acme", "project_path": "acme/shop", "ref": "main", "ref_type": "branch", "ref_protected": "true",
	}
}

// response is what GitLab says of the job, as far as the stage reads it.
func (i *issuer) response(token string) map[string]any {
	return map[string]any{
		"id":          i.job,
		"job_info":    map[string]any{"project_id": 42, "pipeline_id": 4242},
		"runner_info": map[string]any{"timeout": 3600},
		"variables": []map[string]any{
			{"key": "TENANT", "value": "alpha"},
			{"key": "ROLE_ARN", "value": role},
			{"key": "GITLAB_OIDC_TOKEN", "value": token},
		},
	}
}

// curl measures curl with the last request of the prepare stage.
func (i *issuer) curl(ctx context.Context, url string, args ...string) (time.Duration, error) {
	args = append(args, "--silent", "--show-error", "--fail", "--output", os.DevNull, "--data", i.lastForm(), url)
	return timed(command(ctx, []string{"HOME=" + i.home}, "curl", args...))
}

// aws measures the aws CLI with the last request of the prepare stage.
func (i *issuer) aws(ctx context.Context) (time.Duration, error) {
	requests := i.sts.Requests()
	form := requests[len(requests)-1].Form
	env := []string{
		"HOME=" + i.home, "AWS_DEFAULT_REGION=eu-central-1", "AWS_EC2_METADATA_DISABLED=true",
	}
	cmd := command(ctx, env, "aws", "sts", "assume-role-with-web-identity",
		"--endpoint-url", i.sts.URL(), "--role-arn", form.Get("RoleArn"),
		"--role-session-name", form.Get("RoleSessionName"),
		"--web-identity-token", form.Get("WebIdentityToken"),
		"--duration-seconds", form.Get("DurationSeconds"))
	var said strings.Builder
	cmd.Stderr = &said
	took, err := timed(cmd)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, said.String())
	}
	return took, nil
}
