package grant

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// Overrides reports whether a job variable of that name would win over the
// credentials inside the job's script.
func (AWS) Overrides(variable string) bool { return aws.Overrides(variable) }

// Sends reports whether AWS's SDKs send the value of a variable to who gives them credentials.
func (AWS) Sends(variable string) bool { return aws.Sends(variable) }

// ByJob returns the Settings that a job without a policy file requests by its variable
// ROLE_ARN. Errors are a fault.Author.
func (AWS) ByJob(a admission.Asker) (any, error) {
	arn, set := a.Request["ROLE_ARN"]
	switch {
	case !set:
		return nil, fault.New(fault.BadVariable, fmt.Errorf("tenant %q: the job has no variable ROLE_ARN", a.Tenant),
			"set ROLE_ARN to the ARN of the IAM role that the job assumes, in the job or under Settings > CI/CD > Variables; a protected variable is missing in jobs of refs that are not protected")
	case arn == "":
		return nil, fault.New(fault.BadVariable, fmt.Errorf("tenant %q: the job's variable ROLE_ARN is empty", a.Tenant),
			"a variable that it refers to is not set in this job: a protected variable is empty in jobs of refs that are not protected")
	}
	role, err := aws.ParseRole(arn)
	if err != nil {
		return nil, fault.New(fault.BadVariable, fmt.Errorf("tenant %q: ROLE_ARN: %w", a.Tenant, err),
			"correct the variable ROLE_ARN of the job or project")
	}
	return Settings{Role: role, ByJob: true}, nil
}

// Order returns the order to STS for a job. Its settings must be Settings, and its
// server a Server or nil. The job chooses the region of its script. A text that is not
// a region is a fault.Author with a tenant.Refusal by the rule region; a file that
// cannot be read is an error of a.ReadFile.
func (AWS) Order(a admission.Asker) (creds.Order, error) {
	s, ok := a.Settings.(Settings)
	if !ok {
		return creds.Order{}, errors.New("the settings of the tenant are not settings of AWS")
	}
	region, err := chooseRegion(a, s)
	if err != nil {
		return creds.Order{}, err
	}
	terms, err := newTerms(a, s, region)
	if err != nil {
		return creds.Order{}, err
	}
	tools, err := tools(a, s, region)
	if err != nil {
		return creds.Order{}, err
	}
	order := creds.Order{
		Provider: aws.Name,
		Session:  aws.SessionName(a.Response.Project, a.Response.Pipeline, int64(a.Response.ID)),
		Lifetime: a.Response.Timeout,
		Limit:    s.limit(),
		Terms:    terms.Encode(),
		Facts:    creds.Facts{{Name: aws.RoleFact, Value: s.final().String()}, {Name: aws.RegionFact, Value: region}},
		Tools:    tools,
	}
	if a.Source == "" {
		order.Notes = unused(a.Request["ROLE_ARN"], s.final())
	}
	if order.Served = a.Served || a.Source != "" || s.Endpoint; order.Served {
		order.Renew = s.Renew
	}
	return order, nil
}

// limit returns the longest session to ask for; 0: no limit.
func (s Settings) limit() time.Duration {
	if len(s.Chain) > 0 {
		return s.longest()
	}
	return s.Duration
}

// tools returns the profile of a source, if tools find it as one.
func tools(a admission.Asker, s Settings, region string) ([]creds.ToolText, error) {
	if a.Source == "" || s.NoProfile || a.CredentialProgram == "" {
		return nil, nil
	}
	if !aws.IsProgram(a.CredentialProgram) {
		return nil, fault.New(fault.Programs, errors.New("tools of AWS cannot start the program credential where it lies"),
			"install the programs of rolecall in a folder such as /usr/libexec/rolecall").
			Detail("why", tenant.Quote(a.CredentialProgram)+" has other characters than letters, digits and /._-")
	}
	return []creds.ToolText{aws.Profile(a.Source, a.CredentialProgram, region)}, nil
}

// unused returns a note if the job requests another role than it gets.
func unused(requested string, role aws.Role) []string {
	if requested == "" || requested == role.String() {
		return nil
	}
	return []string{fmt.Sprintf("ROLE_ARN is not used: the runner's policy file names the role %q", role.Name())}
}

// chooseRegion returns the region of a job's script; empty means the region of the
// runner's service. That of a source is the policy file's, if it has one. Errors are those of
// Order.
func chooseRegion(a admission.Asker, s Settings) (string, error) {
	if a.Source != "" && s.Region != "" {
		return s.Region, nil
	}
	region := cmp.Or(a.Request["AWS_REGION"], a.Request["AWS_DEFAULT_REGION"], s.Region)
	if aws.IsRegion(region) {
		return region, nil
	}
	what := fmt.Sprintf("tenant %q: %s is not an AWS region", a.Tenant, tenant.Quote(region))
	next := "set AWS_REGION to a region such as eu-central-1, or remove it"
	if meant := aws.RegionOfZone(region); meant != "" {
		next = "it is a zone: set AWS_REGION to its region, " + meant
	}
	return "", fault.New(fault.BadVariable, &tenant.Refusal{Tenant: a.Tenant, Rule: "region", What: what}, next)
}

// newTerms returns the terms of an order, with the content of the files that the policy
// file names.
func newTerms(a admission.Asker, s Settings, region string) (aws.Terms, error) {
	server, _ := a.Server.(Server)
	terms := aws.Terms{
		Role:       s.Role,
		ByJob:      s.ByJob,
		PolicyARNs: slices.Clone(s.PolicyARNs),
		Region:     region,
		Endpoint:   (s.Endpoint || a.Served) && a.Source == "",
		Server:     aws.Server{Region: s.Region, Endpoint: server.Endpoint, Proxy: server.Proxy},
	}
	var err error
	if terms.Chain, err = s.fill(a); err != nil {
		return aws.Terms{}, err
	}
	policy, err := a.ReadFile("session_policy_file", s.SessionPolicyFile)
	if err != nil {
		return aws.Terms{}, err
	}
	terms.Policy = strings.TrimSpace(string(policy))
	terms.Server.CABundle, err = a.ReadFile("sts.ca_bundle", server.CABundle)
	return terms, err
}
