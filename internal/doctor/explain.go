package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"rolecall/internal/adminfile"
	"rolecall/internal/admission"
	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/identity/jwks"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// maxToken bounds what is read of a token, in bytes: more than any may have, so
// that one which is too long is refused as such.
const maxToken = 64 << 10

// explain says what would be decided for a job, and by which rule. It asks no
// server.
func (d Doctor) explain(args []string) error {
	flags := d.flags("explain", "`NAME` of the tenant that the runner serves, as in its --tenant")
	file := flags.String("job", "", "the job response, a `FILE` as in JOB_RESPONSE_FILE")
	token := flags.String("token", "", "`FILE` with the job's ID token, - for standard input (default: from the job response)")
	noPolicy := flags.Bool("no-policy", false, "read no policy file: as on a runner with --no-policy")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.parse(args); err != nil {
		return err
	}
	if *file == "" {
		return usageError{errors.New("name the job response by --job")}
	}
	policy, err := flags.readPolicy(*noPolicy)
	if err != nil {
		return err
	}
	response, err := job.ReadResponse(*file)
	if err != nil {
		return err
	}
	a := applicant{policy: policy, response: response, request: requestOf(response)}
	if *flags.tenant != "" {
		if a.pinned, err = tenant.ParseName(*flags.tenant); err != nil {
			return usageError{fmt.Errorf("--tenant: %w", err)}
		}
	}
	if *token != "" {
		if err := a.replaceToken(d.Stdin, *token); err != nil {
			return err
		}
	}
	e, err := a.explain()
	if err != nil {
		return err
	}
	if err := d.print(e, e.String(), *asJSON); err != nil || e.Allowed {
		return err
	}
	return errSick
}

// requestOf returns what the job's variables ask for: of duplicates the last, as
// the runner passes them on.
func requestOf(response job.Response) job.Request {
	request := job.Request{}
	for _, v := range response.Variables {
		request[v.Key] = v.Value
	}
	return request
}

// applicant is a job that is explained.
type applicant struct {
	policy   *tenant.Policy // nil without a policy file
	pinned   tenant.Name
	response job.Response
	request  job.Request
}

// tokenNames returns the variables whose ID tokens count.
func (a applicant) tokenNames() []string {
	if a.policy == nil {
		return []string{tenant.IDToken}
	}
	return a.policy.TokenNames(a.pinned, a.request["TENANT"])
}

// replaceToken puts the token in file in the place of the job's own.
func (a applicant) replaceToken(stdin io.Reader, file string) error {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("the token: %w", err)
		}
		defer f.Close()
		stdin = f
	}
	raw, err := io.ReadAll(io.LimitReader(stdin, maxToken))
	if err != nil {
		return fmt.Errorf("the token: %w", err)
	}
	for _, name := range a.tokenNames() {
		a.request[name] = strings.TrimSpace(string(raw))
	}
	return nil
}

// explain decides. Its error is not one of the job.
func (a applicant) explain() (explanation, error) {
	e := explanation{Rules: []rule{}, Notes: a.notes()}
	read, err := a.reader(&e)
	if err != nil {
		return e, err
	}
	grant, err := a.decide(&e, read)
	if err != nil {
		e.Side, e.Refusal = string(fault.SideOf(err)), err.Error()
		return e, nil
	}
	e.Allowed, e.Tenant, e.Role, e.Region = true, string(grant.Tenant), grant.RoleARN, grant.Region
	if grant.Duration > 0 {
		e.Duration = grant.Duration.String()
	}
	return e, nil
}

// reader returns how a token is read: with its signature where the policy file
// names keys on disk.
func (a applicant) reader(e *explanation) (admission.Reader, error) {
	e.Signature = "not checked: the policy file names no jwks_file, and explain asks no server"
	if a.policy == nil || a.policy.Settings().GitLab.JWKSFile == "" {
		return identity.Parse, nil
	}
	gitlab := a.policy.Settings().GitLab
	keys, err := adminfile.Read(gitlab.JWKSFile, maxFile)
	if err != nil {
		return nil, fmt.Errorf("gitlab.jwks_file: %w", err)
	}
	e.Signature = "checked with the keys of " + gitlab.JWKSFile + ", as of when the token was issued"
	return func(raw string) (identity.Token, error) {
		token, err := identity.Parse(raw)
		if err != nil {
			return token, err
		}
		issued := func() time.Time { return time.Unix(token.Claims.IssuedAt, 0) }
		return jwks.Source{Issuer: gitlab.Issuer, File: keys, Now: issued}.Verify(context.Background(), raw)
	}, nil
}

// decide returns the grant of the job, or the refusal as the job log has it. It
// checks in the order of the prepare stage.
func (a applicant) decide(e *explanation, read admission.Reader) (tenant.Grant, error) {
	if a.policy == nil {
		grant, _, err := admission.ByJob(a.pinned, a.response, a.request, read)
		return grant, err
	}
	candidate, err := admission.New(a.policy, a.pinned, a.response, a.request, read)
	if err != nil {
		return tenant.Grant{}, err
	}
	for _, verdict := range a.verdicts(candidate.Job) {
		for _, r := range verdict.Rules {
			e.Rules = append(e.Rules, rule{string(verdict.Tenant), r.Name, r.Want, r.Got, r.OK})
		}
	}
	grant, err := a.policy.Decide(candidate.Job)
	if err == nil && grant.Tenant != tenant.None {
		err = admission.CheckOverrides(a.response, a.request)
	}
	return grant, err
}

// notes returns where the answer may differ from the job's own.
func (a applicant) notes() []string {
	var notes []string
	for _, name := range append([]string{"TENANT", "ROLE_ARN", "AWS_REGION", "AWS_DEFAULT_REGION"}, a.tokenNames()...) {
		if strings.Contains(a.request[name], "$") {
			notes = append(notes, name+" refers to another variable: the runner replaces it, explain does not")
		}
	}
	return notes
}
