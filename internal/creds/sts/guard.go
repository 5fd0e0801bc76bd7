package sts

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"rolecall/internal/fault"
)

// maxAnswer bounds the size of an answer of STS, in bytes.
const maxAnswer = 1 << 20

// guard is the way to STS: encrypted or to this host only, no redirects, small
// answers, each within a time. It remembers the host that was asked last.
type guard struct {
	base    http.RoundTripper
	attempt time.Duration
	host    string
	tries   int
}

// client returns an HTTP client through the guard, over the transport of from,
// into which the SDK has put the CA bundle of the environment.
func (g *guard) client(from aws.HTTPClient) *http.Client {
	buildable, ok := from.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	transport := buildable.GetTransport()
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true) // one request does not pay for setting up HTTP/2
	g.base = transport
	return &http.Client{
		Transport:     g,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// RoundTrip makes one request, which ends with its answer's body.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	g.host = r.URL.Host
	g.tries++
	if r.URL.Scheme != "https" && !isLoopback(r.URL.Hostname()) {
		return nil, errPlain
	}
	ctx, cancel := context.WithTimeout(r.Context(), g.attempt)
	r = r.Clone(ctx)
	if r.Body != nil {
		// The SDK closes its body when it has the answer; its WriteTo then fails the
		// transport's write and with it the connection that the answer comes from.
		r.Body = struct{ io.ReadCloser }{r.Body}
	}
	response, err := g.base.RoundTrip(r)
	if err != nil {
		cancel()
		return nil, err
	}
	response.Body = &body{io.LimitReader(response.Body, maxAnswer), response.Body, cancel}
	return response, nil
}

// errPlain is the refusal to send an ID token over a network in the clear.
var errPlain = fault.New(fault.Admin, errors.New("the endpoint of STS is not https"),
	"set AWS_ENDPOINT_URL_STS in the environment of the runner's service to an https URL; http is for loopback only")

// isLoopback reports whether host is this host, by its name or its address.
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// body is the bounded body of an answer; its end ends the request's context.
type body struct {
	io.Reader
	closer io.Closer
	cancel context.CancelFunc
}

// Close closes the body.
func (b *body) Close() error {
	defer b.cancel()
	return b.closer.Close()
}
