// Package prepare is the stage that gets a job its credentials.
package prepare

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"rolecall/internal/creds"
	"rolecall/internal/creds/store"
	"rolecall/internal/creds/sts"
	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/job"
	"rolecall/internal/stage"
	"rolecall/internal/tenant"
)

// Run decides which tenant the job is, assumes that tenant's role and writes the
// env file. A job of no tenant gets a record only, which the run stage asks for.
// Where it fails nothing is left behind. A signal ends it at once: the credentials
// are the last thing that it writes, and the runner calls cleanup.
func Run(c *stage.Call) error {
	signal.Ignore(syscall.SIGPIPE) // a report that nobody reads is an error like any other
	response, err := job.ReadResponse(c.Env.ResponseFile)
	if err != nil {
		return err
	}
	rules, err := c.Rules()
	if err != nil {
		return err
	}
	grant, err := rules.Decide(request(c.Env.Request))
	if err != nil {
		return err
	}
	root, err := store.Root(c.Env.Store)
	if err != nil {
		return err
	}
	if grant.Tenant != tenant.None {
		return serve(c, response, grant, root)
	}
	folder, err := store.Create(root, response.Key, "", "")
	if err != nil {
		return err
	}
	folder.Close()
	return nil
}

// serve gets a job the credentials of its tenant.
func serve(c *stage.Call, response job.Response, grant tenant.Grant, root string) error {
	ask, err := check(c.Env.Request, response, grant)
	if err != nil {
		return err
	}
	folder, err := store.Create(root, response.Key, string(grant.Tenant), c.Env.Request.TempProjectDir())
	if err != nil {
		return err
	}
	defer folder.Close()
	result, err := issue(c.Env.Service, folder, ask)
	if err == nil {
		err = report(c.Stdout, folder, ask, result, store.OnTmpfs(root))
	}
	if err != nil {
		// An error may hold words of others; the report holds none, so only this pays for a mask.
		return errors.Join(err, store.Remove(root, response.Key), c.Mask(ask.Token.Raw))
	}
	return nil
}

// request returns what the variables of a job ask for.
func request(r job.Request) tenant.Request {
	region := r["AWS_REGION"]
	if region == "" {
		region = r["AWS_DEFAULT_REGION"]
	}
	return tenant.Request{Tenant: r["TENANT"], RoleARN: r["ROLE_ARN"], Region: region}
}

// check checks everything that can be checked before STS is asked, and returns
// what to ask it.
func check(r job.Request, response job.Response, grant tenant.Grant) (sts.Request, error) {
	if err := checkOverrides(r, response); err != nil {
		return sts.Request{}, err
	}
	role, err := creds.ParseRole(grant.RoleARN)
	if err != nil {
		return sts.Request{}, fault.New(fault.Author, fmt.Errorf("tenant %q: ROLE_ARN: %w", grant.Tenant, err),
			"correct the variable ROLE_ARN of the job or project")
	}
	token, err := readToken(r, response, grant)
	if err != nil {
		return sts.Request{}, err
	}
	return sts.Request{
		Role:     role,
		Session:  creds.SessionName(response.Project, response.Pipeline, int64(response.ID)),
		Token:    token,
		Lifetime: response.Timeout,
		Region:   grant.Region,
	}, nil
}

// checkOverrides refuses a job whose variables would win over the credentials
// inside its script.
func checkOverrides(r job.Request, response job.Response) error {
	var names []string
	for _, v := range response.Variables {
		names = append(names, v.Key)
	}
	for name := range r {
		names = append(names, name)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !creds.Overrides(name) })
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return fault.New(fault.Author,
		fmt.Errorf("variables of the job would override its tenant's credentials: %s", strings.Join(slices.Compact(names), ", ")),
		"remove them from .gitlab-ci.yml and from Settings > CI/CD > Variables of the project and its groups, or export them in the script where they are meant")
}

// readToken returns the job's ID token, which must be of this very job.
func readToken(r job.Request, response job.Response, grant tenant.Grant) (identity.Token, error) {
	raw := r[grant.IDToken]
	if raw == "" {
		return identity.Token{}, fault.New(fault.Author,
			fmt.Errorf("tenant %q: the job has no ID token in %s", grant.Tenant, grant.IDToken),
			fmt.Sprintf("add to the job in .gitlab-ci.yml\n  id_tokens:\n    %s:\n      aud: https://gitlab.example.com  # the audience that the role's trust policy asks for", grant.IDToken))
	}
	if len(response.Values(grant.IDToken)) > 1 {
		return identity.Token{}, fault.New(fault.Author,
			fmt.Errorf("tenant %q: %s has two different values", grant.Tenant, grant.IDToken),
			"remove the CI/CD variable of that name, which overrides the ID token")
	}
	token, err := identity.Parse(raw)
	if err == nil {
		err = token.CheckJob(int64(response.ID), response.Project)
	}
	if err != nil {
		return identity.Token{}, fault.New(fault.Author,
			fmt.Errorf("tenant %q: %s is no ID token of this job: %w", grant.Tenant, grant.IDToken, err),
			"let id_tokens: set it, and no variable")
	}
	return token, nil
}

// issue asks STS and writes the env file.
func issue(service []string, folder *store.Folder, ask sts.Request) (sts.Result, error) {
	if err := keepSettings(service); err != nil {
		return sts.Result{}, err
	}
	result, err := sts.NewClient().Assume(context.Background(), ask)
	if err != nil {
		return sts.Result{}, fmt.Errorf("tenant %q: %w", folder.Tenant(), err)
	}
	return result, folder.Write(result.Credentials)
}

// keepSettings unsets the service's AWS_ variables but those that the client of
// STS is documented to obey, so that the SDK sees no other.
func keepSettings(environ []string) error {
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, "AWS_") || slices.Contains(sts.Settings(), name) {
			continue
		}
		if err := os.Unsetenv(name); err != nil {
			return err
		}
	}
	return nil
}
