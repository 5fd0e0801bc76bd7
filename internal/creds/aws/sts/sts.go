// Package sts assumes a role at AWS's Security Token Service with an ID token.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
package sts

import (
	"context"
	"fmt"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
)

// Client requests credentials from STS.
type Client struct {
	// Deadline is how long one call of Assume may take, and Attempt how long each of its
	// requests may take.
	Deadline, Attempt time.Duration
	aws.Server
}

// NewClient returns a client with bounds for the prepare stage. They are short because
// the runner tries this stage three times.
func NewClient() Client {
	return Client{Deadline: 20 * time.Second, Attempt: 8 * time.Second}
}

// Request says which role to assume and how.
type Request struct {
	Role       aws.Role
	ByJob      bool   // the job has named the role, and not the runner's admin
	Session    string // role session name
	Token      idtoken.Token
	Lifetime   time.Duration // how long the job may run; 0: not known
	Limit      time.Duration // the longest session to request; 0: no limit
	Policy     string        // session policy, JSON; empty: none
	PolicyARNs []string      // managed session policies
	Region     string        // region of scripts; empty: the region of STS
}

// Settings returns the AWS_ variables of a service's environment that a Client
// obeys.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func Settings() []string {
	return []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE",
		"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	}
}

// Assume assumes the role. Endpoint, region, proxy and CA come from the Server or the
// process's environment, never from shared config files or a credential chain. If the
// role does not allow the duration, the session lasts an hour, and RefusedDurationFact of
// the credential says so. Errors are of package fault. They hold neither the token nor
// STS's answer, except its error code and request id.
func (c Client) Assume(ctx context.Context, r Request) (creds.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Deadline)
	defer cancel()
	cfg, g, err := c.load(ctx)
	if err != nil {
		return creds.Credential{}, err
	}
	named := c.setRegions(&r, &cfg)
	client := c.newClient(cfg)
	if r.Region == "" || cfg.Region == "" && client.Options().BaseEndpoint == nil {
		return creds.Credential{}, fault.New(fault.BadServer, fmt.Errorf("the region for %s is not known", r.Role),
			"set AWS_REGION in the environment of the runner's service")
	}
	requested := aws.SessionDuration(r.Lifetime, r.Limit)
	out, err := assume(ctx, client, r, requested)
	session := aws.Session{Role: r.Role, Name: r.Session, Region: r.Region, Named: named}
	if refusesDuration(err) && requested > aws.StandardSession {
		session.RefusedDuration, requested = requested, aws.StandardSession
		out, err = assume(ctx, client, r, requested)
	}
	if err != nil {
		return creds.Credential{}, explain(err, r, g)
	}
	return check(out, session, requested)
}

// setRegions fills in the region of STS, if the service names none, and then that of
// scripts. It returns who names the latter.
func (c Client) setRegions(r *Request, cfg *sdk.Config) (named aws.RegionOf) {
	if c.Region == "" {
		named = aws.RegionOfService
	}
	if cfg.Region == "" {
		partition, _ := aws.LookupPartition(r.Role.Partition) // an unknown partition has no region
		cfg.Region, named = partition.Region, aws.RegionOfPartition
	}
	if r.Region != "" {
		return ""
	}
	r.Region = cfg.Region
	return named
}

// newClient returns the SDK's client for the Server's endpoint, or for that of cfg.
func (c Client) newClient(cfg sdk.Config) *awssts.Client {
	return awssts.NewFromConfig(cfg, func(o *awssts.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = sdk.String(c.Endpoint)
		}
	})
}

// assume makes the call of STS, for a session of duration d.
func assume(ctx context.Context, client *awssts.Client, r Request, d time.Duration) (*awssts.AssumeRoleWithWebIdentityOutput, error) {
	return client.AssumeRoleWithWebIdentity(ctx, newInput(r, d))
}

// newInput returns the request in the form of the SDK.
func newInput(r Request, d time.Duration) *awssts.AssumeRoleWithWebIdentityInput {
	input := &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn:          sdk.String(r.Role.String()),
		RoleSessionName:  sdk.String(r.Session),
		WebIdentityToken: sdk.String(r.Token.Raw.Reveal()),
		DurationSeconds:  sdk.Int32(int32(d / time.Second)), //nolint:gosec // at most 12 hours
	}
	if r.Policy != "" {
		input.Policy = sdk.String(r.Policy)
	}
	for _, arn := range r.PolicyARNs {
		input.PolicyArns = append(input.PolicyArns, types.PolicyDescriptorType{Arn: sdk.String(arn)})
	}
	return input
}
