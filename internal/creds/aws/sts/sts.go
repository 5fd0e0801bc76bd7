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
	"rolecall/internal/httpguard"
	"rolecall/internal/idtoken"
)

// Client requests credentials from STS.
type Client struct {
	// Deadline is how long one call of Assume may take, and Attempt how long each of its
	// requests may take.
	Deadline, Attempt time.Duration
	aws.Server

	loaded *loaded // nil: each call reads its configuration, and makes connections of its own
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
	Policy     string        // session policy of what the job gets, JSON; empty: none
	PolicyARNs []string      // managed session policies, of the same
	Region     string        // region of scripts; empty: the region of STS
	Chain      []aws.Hop     // roles that are then assumed, each with the session before it
	Source     string        // name of the credential
	Endpoint   bool          // an endpoint gives the credential to scripts
}

// Settings is aws.Settings.
func Settings() []string { return aws.Settings() }

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
	session := aws.Session{Role: r.Role, Name: r.Session, Region: r.Region, Named: named, Source: r.Source, Endpoint: r.Endpoint}
	if len(r.Chain) > 0 {
		return chain(ctx, caller{cfg, client, g}, r, session)
	}
	out, err := first(ctx, caller{cfg, client, g}, r, &session)
	if err != nil {
		return creds.Credential{}, err
	}
	return aws.NewCredential(out, session)
}

// caller is what calls of STS are made with.
type caller struct {
	cfg    sdk.Config
	client *awssts.Client
	guard  *httpguard.Guard
}

// first assumes the first role, for the session that the job gets. It notes in s if the role
// does not allow the duration.
func first(ctx context.Context, c caller, r Request, s *aws.Session) (aws.Keys, error) {
	requested := aws.SessionDuration(r.Lifetime, r.Limit)
	out, err := assume(ctx, c.client, r, requested)
	if refusesDuration(err) && requested > aws.StandardSession {
		s.RefusedDuration, requested = requested, aws.StandardSession
		out, err = assume(ctx, c.client, r, requested)
	}
	if err != nil {
		return aws.Keys{}, explain(err, r, c.guard)
	}
	return check(answerOf(out), *s, requested)
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
	if len(r.Chain) == 0 {
		input.Policy, input.PolicyArns = policies(r)
	}
	return input
}

// policies returns the session policies in the form of the SDK.
func policies(r Request) (policy *string, arns []types.PolicyDescriptorType) {
	for _, arn := range r.PolicyARNs {
		arns = append(arns, types.PolicyDescriptorType{Arn: sdk.String(arn)})
	}
	return optional(r.Policy), arns
}

// optional returns a text in the form of the SDK, and nil for an empty one.
func optional(text string) *string {
	if text == "" {
		return nil
	}
	return sdk.String(text)
}
