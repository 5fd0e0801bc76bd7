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
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
)

// maxLoaded bounds how many configurations are kept. A policy file has one for each region and
// CA bundle; only old bundles can make more.
const maxLoaded = 64

// loaded are the configurations of servers. A program that calls STS often uses each again, with
// its connections: a CA bundle alone takes milliseconds to read.
type loaded struct {
	mu  sync.Mutex // guards all
	all map[string]configured
}

// configured is the SDK's configuration for a server, and a guard over its connections.
type configured struct {
	cfg   sdk.Config
	guard *httpguard.Guard
}

// load returns the SDK's configuration for a role, and the guard that all requests of one call
// pass. The region is the server's, or the service's own; it may be empty.
func (c Client) load(ctx context.Context) (sdk.Config, *httpguard.Guard, error) {
	one, err := c.configured(ctx)
	if err != nil {
		return sdk.Config{}, nil, err
	}
	g := one.guard.Again()
	one.cfg.HTTPClient = g.Client()
	return one.cfg, g, nil
}

// configured returns the configuration for the client's server.
func (c Client) configured(ctx context.Context) (configured, error) {
	if c.loaded == nil {
		return c.configure(ctx)
	}
	c.loaded.mu.Lock()
	defer c.loaded.mu.Unlock()
	key := fmt.Sprintf("%q %q %q %v %s", c.Region, c.Endpoint, c.Proxy, c.Attempt, c.CABundle)
	if one, ok := c.loaded.all[key]; ok {
		return one, nil
	}
	one, err := c.configure(ctx)
	if err != nil {
		return configured{}, err
	}
	if len(c.loaded.all) >= maxLoaded {
		clear(c.loaded.all)
	}
	c.loaded.all[key] = one
	return one, nil
}

// configure reads the configuration for the client's server.
func (c Client) configure(ctx context.Context) (configured, error) {
	options := []func(*config.LoadOptions) error{
		config.WithSharedConfigFiles([]string{}),
		config.WithSharedCredentialsFiles([]string{}),
		config.WithCredentialsProvider(sdk.AnonymousCredentials{}),
		config.WithLogger(logging.Nop{}),
		config.WithRetryer(func() sdk.Retryer { return retryer() }),
		config.WithRegion(c.Region),
	}
	if c.CABundle != nil {
		if !x509.NewCertPool().AppendCertsFromPEM(c.CABundle) {
			return configured{}, fault.New(fault.BadServer, errors.New("the CA bundle for STS has no certificate in PEM"), "correct the file that ca_bundle names")
		}
		options = append(options, config.WithCustomCABundle(bytes.NewReader(c.CABundle)))
	}
	cfg, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return configured{}, fault.New(fault.BadServer, fmt.Errorf("settings of AWS in the runner's environment: %w", err),
			"correct the AWS_ variables of the runner's service")
	}
	g, err := c.guard(cfg.HTTPClient)
	return configured{cfg, g}, err
}

// guard returns a guard over the transport of from, which the SDK has given the CA
// bundle.
func (c Client) guard(from sdk.HTTPClient) (*httpguard.Guard, error) {
	transport := transportOf(from)
	if c.Proxy != "" {
		proxy, err := parseProxy(c.Proxy)
		if err != nil {
			return nil, err
		}
		transport.Proxy = http.ProxyURL(proxy)
	}
	return httpguard.New(transport, c.Attempt), nil
}

// transportOf returns a copy of the client's transport, or the SDK's own if it has none.
func transportOf(client sdk.HTTPClient) *http.Transport {
	buildable, ok := client.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	return buildable.GetTransport()
}

// parseProxy reads the URL of a proxy. The error does not hold text, which may have a
// password.
func parseProxy(text string) (*url.URL, error) {
	proxy, err := url.Parse(text)
	if err != nil || proxy.Host == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, proxy.Scheme) {
		return nil, fault.New(fault.BadServer, errors.New("the proxy for STS is not the URL of a proxy"), "correct it; an example is http://proxy.example.com:3128")
	}
	return proxy, nil
}

// retryer tries a request up to three times, with jitter, while its error may pass.
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
