// Package sts assumes a role at AWS's Security Token Service with an ID token.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
package sts

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go/logging"

	"rolecall/internal/creds"
	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
)

// maxSkew is how far the clocks of this host and of STS may be apart.
const maxSkew = 5 * time.Minute

// Client asks STS for credentials.
type Client struct {
	// Deadline bounds everything that one call of Assume does, Attempt one
	// request of it.
	Deadline, Attempt time.Duration
	aws.Server
}

// NewClient returns a client with bounds that suit a job's prepare stage: the
// runner tries that stage three times.
func NewClient() Client {
	return Client{Deadline: 20 * time.Second, Attempt: 8 * time.Second}
}

// Request says which role to assume and how.
type Request struct {
	Role       aws.Role
	Session    string // role session name
	Token      idtoken.Token
	Lifetime   time.Duration // how long the job may run; 0: not known
	Limit      time.Duration // the longest session to ask for; 0: none
	Policy     string        // session policy, JSON; empty: none
	PolicyARNs []string      // managed session policies
	Region     string        // region for the script; empty: the one that STS is asked in
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

// Assume assumes the role. Endpoint, region, proxy and CA come from the Server and
// the process's environment, never from shared config files nor from a credential
// chain. Where the role does not allow the duration, the session lasts an hour, and
// that is one of the credential's facts. Errors are classed by package fault and hold
// neither the token nor a body of STS.
func (c Client) Assume(ctx context.Context, r Request) (creds.Credential, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Deadline)
	defer cancel()
	cfg, g, err := c.load(ctx, r.Role)
	if err != nil {
		return creds.Credential{}, err
	}
	if r.Region == "" {
		r.Region = cfg.Region
	}
	client := awssts.NewFromConfig(cfg, func(o *awssts.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = sdk.String(c.Endpoint)
		}
	})
	if r.Region == "" || cfg.Region == "" && client.Options().BaseEndpoint == nil {
		return creds.Credential{}, fault.New(fault.Admin, fmt.Errorf("no region is known for %s", r.Role),
			"set AWS_REGION in the environment of the runner's service")
	}
	asked := aws.SessionDuration(r.Lifetime, r.Limit)
	out, err := assume(ctx, client, r, asked)
	session := aws.Session{Role: r.Role, Name: r.Session, Region: r.Region}
	if refusesDuration(err) && asked > aws.StandardSession {
		session.Shortened, asked = asked, aws.StandardSession
		out, err = assume(ctx, client, r, asked)
	}
	if err != nil {
		return creds.Credential{}, explain(err, r, g)
	}
	return check(out, session, asked)
}

// load returns the SDK's configuration for one role, with requests going
// through a guard. Its region is the server's, else the service's own, else one of
// the role's partition.
func (c Client) load(ctx context.Context, role aws.Role) (sdk.Config, *httpguard.Guard, error) {
	partition, _ := aws.LookupPartition(role.Partition) // one that is not known has no region
	options := []func(*config.LoadOptions) error{
		config.WithSharedConfigFiles([]string{}),
		config.WithSharedCredentialsFiles([]string{}),
		config.WithCredentialsProvider(sdk.AnonymousCredentials{}),
		config.WithDefaultRegion(partition.Region),
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() sdk.Retryer { return retryer() }),
		config.WithRegion(c.Region),
	}
	if c.CABundle != nil {
		if !x509.NewCertPool().AppendCertsFromPEM(c.CABundle) {
			return sdk.Config{}, nil, fault.New(fault.Admin, errors.New("the CA bundle for STS holds no certificate in PEM"), "correct the file that ca_bundle names")
		}
		options = append(options, config.WithCustomCABundle(bytes.NewReader(c.CABundle)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return sdk.Config{}, nil, fault.New(fault.Admin, fmt.Errorf("settings of AWS in the runner's environment: %w", err),
			"correct the AWS_ variables of the runner's service")
	}
	g, err := c.guard(cfg.HTTPClient)
	if err == nil {
		cfg.HTTPClient = g.Client()
	}
	return cfg, g, err
}

// guard returns the way to STS, over the transport of from, into which the SDK has
// put the CA bundle.
func (c Client) guard(from sdk.HTTPClient) (*httpguard.Guard, error) {
	buildable, ok := from.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	transport := buildable.GetTransport()
	if c.Proxy != "" {
		proxy, err := url.Parse(c.Proxy)
		if err != nil || proxy.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme) {
			return nil, fault.New(fault.Admin, errors.New("the proxy for STS is no URL of a proxy"), "correct it; one is http://proxy.example.com:3128")
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	return httpguard.New(transport, c.Attempt), nil
}

// retryer tries up to three times, with jitter, what can succeed a second time.
func retryer() sdk.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 3
		o.MaxBackoff = 4 * time.Second
		o.RateLimiter = ratelimit.None
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.IsErrorRetryableFunc(func(err error) sdk.Ternary { return sdk.BoolTernary(classify(err).retry) }),
		}
	})
}

// assume makes the call itself.
func assume(ctx context.Context, client *awssts.Client, r Request, d time.Duration) (*awssts.AssumeRoleWithWebIdentityOutput, error) {
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
	return client.AssumeRoleWithWebIdentity(ctx, input)
}

// check turns STS's answer into a credential, or into an error where it is not
// what was asked for.
func check(out *awssts.AssumeRoleWithWebIdentityOutput, s aws.Session, asked time.Duration) (creds.Credential, error) {
	if out.Credentials == nil || out.Credentials.Expiration == nil {
		return creds.Credential{}, errors.New("STS answered without credentials or without their expiration")
	}
	c, err := aws.NewCredential(aws.Keys{
		AccessKeyID:     mask.NewSecret(sdk.ToString(out.Credentials.AccessKeyId)),
		SecretAccessKey: mask.NewSecret(sdk.ToString(out.Credentials.SecretAccessKey)),
		SessionToken:    mask.NewSecret(sdk.ToString(out.Credentials.SessionToken)),
		Expires:         *out.Credentials.Expiration,
	}, s)
	if err != nil {
		return creds.Credential{}, fmt.Errorf("STS answered with odd credentials: %w", err)
	}
	if out.AssumedRoleUser != nil {
		err = checkAssumed(s.Role, sdk.ToString(out.AssumedRoleUser.Arn), s.Name)
	}
	if err == nil {
		err = checkExpiry(c.Expires, asked, out)
	}
	if err != nil {
		return creds.Credential{}, err
	}
	return c, nil
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
