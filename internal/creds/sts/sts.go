// Package sts assumes a role at AWS's Security Token Service with an ID token.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
package sts

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/config"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"

	"rolecall/internal/creds"
	"rolecall/internal/fault"
	"rolecall/internal/identity"
	"rolecall/internal/mask"
)

// Bounds of a session's duration. STS refuses shorter and longer ones; every
// role allows the standard one.
const (
	shortest = 15 * time.Minute
	standard = time.Hour
	longest  = 12 * time.Hour
)

// maxSkew is how far the clocks of this host and of STS may be apart.
const maxSkew = 5 * time.Minute

// Client asks STS for credentials.
type Client struct {
	// Deadline bounds everything that one call of Assume does, Attempt one
	// request of it.
	Deadline, Attempt time.Duration
}

// NewClient returns a client with bounds that suit a job's prepare stage: the
// runner tries that stage three times.
func NewClient() Client {
	return Client{Deadline: 20 * time.Second, Attempt: 8 * time.Second}
}

// Request says which role to assume and how.
type Request struct {
	Role     Role
	Session  string // role session name
	Token    identity.Token
	Lifetime time.Duration // how long the job may run; 0: not known
	Region   string        // region for the script; empty: the one that STS is asked in
}

// Result is what STS gave.
type Result struct {
	Credentials creds.Credentials
	// Shortened is set where the role does not allow the duration asked for
	// first, which it holds; the session then lasts an hour.
	Shortened time.Duration
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

// Duration returns the session duration to ask for: as long as the job may run,
// within what STS takes.
func Duration(lifetime time.Duration) time.Duration {
	if lifetime <= 0 {
		return standard
	}
	return min(max(lifetime, shortest), longest)
}

// Assume assumes the role. Endpoint, region, proxy and CA come from the
// process's environment as the AWS SDKs read it, never from shared config files
// nor from a credential chain. Errors are classed by package fault and hold
// neither the token nor a body of STS.
func (c Client) Assume(ctx context.Context, r Request) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Deadline)
	defer cancel()
	guard := &guard{attempt: c.Attempt}
	cfg, err := load(ctx, r.Role, guard)
	if err != nil {
		return Result{}, err
	}
	if r.Region == "" {
		r.Region = cfg.Region
	}
	client := awssts.NewFromConfig(cfg)
	if r.Region == "" || cfg.Region == "" && client.Options().BaseEndpoint == nil {
		return Result{}, fault.New(fault.Admin, fmt.Errorf("no region is known for %s", r.Role),
			"set AWS_REGION in the environment of the runner's service")
	}
	asked := Duration(r.Lifetime)
	out, err := assume(ctx, client, r, asked)
	var result Result
	if refusesDuration(err) && asked > standard {
		result.Shortened, asked = asked, standard
		out, err = assume(ctx, client, r, asked)
	}
	if err != nil {
		return Result{}, explain(err, r, guard)
	}
	result.Credentials, err = check(out, r, asked)
	return result, err
}

// load returns the SDK's configuration for one role, with requests going
// through g. Its region is the service's own, else one of the role's partition.
func load(ctx context.Context, role Role, g *guard) (aws.Config, error) {
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithSharedConfigFiles([]string{}),
		config.WithSharedCredentialsFiles([]string{}),
		config.WithCredentialsProvider(aws.AnonymousCredentials{}),
		config.WithDefaultRegion(role.region()),
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() aws.Retryer { return retryer() }),
	)
	if err != nil {
		return aws.Config{}, fault.New(fault.Admin, fmt.Errorf("settings of AWS in the runner's environment: %w", err),
			"correct the AWS_ variables of the runner's service")
	}
	cfg.HTTPClient = g.client(cfg.HTTPClient)
	return cfg, nil
}

// retryer tries up to three times, with jitter, what can succeed a second time.
func retryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 3
		o.MaxBackoff = 4 * time.Second
		o.RateLimiter = ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.IsErrorRetryableFunc(func(err error) aws.Ternary { return aws.BoolTernary(classify(err).retry) }),
		}
	})
}

// assume makes the call itself.
func assume(ctx context.Context, client *awssts.Client, r Request, d time.Duration) (*awssts.AssumeRoleWithWebIdentityOutput, error) {
	return client.AssumeRoleWithWebIdentity(ctx, &awssts.AssumeRoleWithWebIdentityInput{
		RoleArn:          aws.String(r.Role.String()),
		RoleSessionName:  aws.String(r.Session),
		WebIdentityToken: aws.String(r.Token.Raw.Reveal()),
		DurationSeconds:  aws.Int32(int32(d / time.Second)), //nolint:gosec // at most 12 hours
	})
}

// check turns STS's answer into credentials, or into an error where it is not
// what was asked for.
func check(out *awssts.AssumeRoleWithWebIdentityOutput, r Request, asked time.Duration) (creds.Credentials, error) {
	if out.Credentials == nil || out.Credentials.Expiration == nil {
		return creds.Credentials{}, fmt.Errorf("STS answered without credentials or without their expiration")
	}
	c := creds.Credentials{
		AccessKeyID:     mask.NewSecret(aws.ToString(out.Credentials.AccessKeyId)),
		SecretAccessKey: mask.NewSecret(aws.ToString(out.Credentials.SecretAccessKey)),
		SessionToken:    mask.NewSecret(aws.ToString(out.Credentials.SessionToken)),
		Region:          r.Region,
		Expires:         *out.Credentials.Expiration,
	}
	if err := c.Check(); err != nil {
		return creds.Credentials{}, fmt.Errorf("STS answered with odd credentials: %w", err)
	}
	if out.AssumedRoleUser != nil {
		if err := r.Role.checkAssumed(aws.ToString(out.AssumedRoleUser.Arn), r.Session); err != nil {
			return creds.Credentials{}, err
		}
	}
	return c, checkExpiry(c.Expires, asked, out)
}

// checkExpiry reports an error where the credentials are over at once or last
// longer than asked for: then the clocks differ, or the answer is not to be
// trusted.
func checkExpiry(expires time.Time, asked time.Duration, out *awssts.AssumeRoleWithWebIdentityOutput) error {
	left := time.Until(expires)
	if left > time.Minute && left < asked+maxSkew {
		return nil
	}
	err := fmt.Errorf("STS answered with credentials that last %v from now, asked was %v", left.Round(time.Second), asked)
	if server, ok := middleware.GetServerTime(out.ResultMetadata); ok {
		err = fmt.Errorf("%w; this host's clock is %+.0f s from that of STS: check NTP", err, time.Since(server).Seconds())
	}
	return err
}
