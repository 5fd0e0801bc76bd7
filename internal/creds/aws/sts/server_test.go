package sts_test

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/creds/aws"
	"rolecall/internal/fault"
	"rolecall/test/fakests"
)

// startTLS serves the fake STS of a call over TLS, and returns the CA's certificate.
func startTLS(t *testing.T, c *call) (server *httptest.Server, ca []byte) {
	t.Helper()
	server = httptest.NewUnstartedServer(http.HandlerFunc(c.server.ServeHTTP))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of clients that do not trust it
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// TestServer: the server in the order has precedence over the environment.
func TestServer(t *testing.T) {
	c := newCall(t)
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	t.Setenv("AWS_REGION", "eu-central-1")
	c.client.Server = aws.Server{Endpoint: c.server.URL(), Region: "ap-south-1"}
	result, err := c.assume(t)
	if err != nil || result.Facts.Get(aws.RegionFact) != "ap-south-1" || result.Facts.Get(aws.RegionOfFact) != "" {
		t.Errorf("%v, %v", result.Facts, err)
	}
	c.request.Region = "eu-west-3"
	if result, err = c.assume(t); err != nil || result.Facts.Get(aws.RegionFact) != "eu-west-3" {
		t.Errorf("region of the script %s, %v", result.Facts.Get(aws.RegionFact), err)
	}
	for _, endpoint := range []string{"http://sts.example.com", "sts.example.com", "//sts.example.com", "ftp://127.0.0.1.example.com"} {
		c.client.Endpoint = endpoint
		c.refused(t, fault.Admin, 2)
	}
}

// TestRegionOfEndpoint: without an endpoint, the server's region determines STS's
// address.
func TestRegionOfEndpoint(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL_STS", "")
	c := newCall(t)
	c.client.Server = aws.Server{Region: "ap-south-1", Proxy: "http://127.0.0.1:1"}
	c.refused(t, fault.Infrastructure, 0, "STS at sts.ap-south-1.amazonaws.com, 3 tries: connection refused")
}

// TestCABundle: the order's private CA is trusted, and has precedence over the
// environment's.
func TestCABundle(t *testing.T) {
	c := newCall(t)
	server, ca := startTLS(t, c)
	c.client.Endpoint = server.URL
	c.refused(t, fault.Infrastructure, 0, "its certificate is not trusted: ")
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(bundle, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle)
	if _, err := c.assume(t); err != nil {
		t.Errorf("with AWS_CA_BUNDLE: %v", err)
	}
	t.Setenv("AWS_CA_BUNDLE", bundle+".none")
	c.client.CABundle = ca
	if _, err := c.assume(t); err != nil {
		t.Errorf("with its CA: %v", err)
	}
	for _, garbage := range []string{"", "garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"} {
		c.client.CABundle = []byte(garbage)
		c.refused(t, fault.Admin, 2, "the CA bundle for STS has no certificate in PEM; correct the file that ca_bundle names")
	}
}

// tunnel is a proxy that connects every CONNECT to one address, and keeps the last
// request.
func tunnel(t *testing.T, address string) (proxy string, asked *atomic.Value) {
	t.Helper()
	asked = new(atomic.Value)
	asked.Store("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host + " " + r.Header.Get("Proxy-Authorization"))
		there, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		defer func() { _ = there.Close() }()
		w.WriteHeader(http.StatusOK)
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer func() { _ = here.Close() }()
		go func() { _, _ = io.Copy(there, here) }()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(server.CloseClientConnections)
	return strings.TrimPrefix(server.URL, "http://"), asked
}

// TestProxy: the proxy gets requests for other hosts, and none for this host.
func TestProxy(t *testing.T) {
	t.Parallel()
	c := newCall(t)
	server, ca := startTLS(t, c)
	proxy, asked := tunnel(t, server.Listener.Addr().String())
	c.client.Server = aws.Server{Endpoint: "https://sts.example.com", Proxy: "http://user:hunter2@" + proxy, CABundle: ca}
	if _, err := c.assume(t); err != nil {
		t.Fatal(err)
	}
	want := "CONNECT sts.example.com:443 Basic " + base64.StdEncoding.EncodeToString([]byte("user:hunter2"))
	if got := asked.Swap(""); got != want {
		t.Errorf("the proxy was asked %q, want %q", got, want)
	}
	for _, endpoint := range []string{c.server.URL(), server.URL} {
		c.client.Endpoint = endpoint
		if _, err := c.assume(t); err != nil || asked.Load() != "" {
			t.Errorf("%s: the proxy was asked %q, %v", endpoint, asked.Load(), err)
		}
	}
}

// TestOddProxy: the error about a malformed proxy does not show its password.
func TestOddProxy(t *testing.T) {
	t.Parallel()
	port, _ := listener(t, "HTTP/1.1 407 hunter2\r\nProxy-Authenticate: Basic realm=hunter2\r\nContent-Length: 7\r\n\r\nhunter2")
	const noURL = "the proxy for STS is not the URL of a proxy; correct it"
	for proxy, want := range map[string]string{
		fmt.Sprintf("http://user:hunter2@127.0.0.1:%d", port): "STS at sts.example.com, 3 tries",
		"http://user:hunter2@127.0.0.1:1":                     "STS at sts.example.com, 3 tries: connection refused",
		"http://user:hunter2@[::1":                            noURL, "http://user:hunter2@127.0.0.1:hunter2": noURL, "://user:hunter2@127.0.0.1": noURL,
		"gopher://user:hunter2@127.0.0.1": noURL, "user:hunter2@127.0.0.1": noURL, "hunter2": noURL, "127.0.0.1:3128": noURL, "http:///hunter2": noURL,
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			c := newCall(t)
			c.client.Server = aws.Server{Endpoint: "https://sts.example.com", Proxy: proxy}
			_, err := c.assume(t)
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: error %v, want %q", proxy, err, want)
			}
			if side := fault.SideOf(err); (side == fault.Admin) != (want == noURL) {
				t.Errorf("%s: an error of %s", proxy, side)
			}
		})
	}
}

// TestSessionPolicies: session policies are sent if the order has them, and are absent
// if not.
func TestSessionPolicies(t *testing.T) {
	t.Parallel()
	c := newCall(t, fakests.OK(fakests.Credentials{}))
	c.request.Policy = "{\"Version\": \"2012-10-17\",\n \"Statement\": []}"
	c.request.PolicyARNs = []string{"arn:aws:iam::aws:policy/ReadOnlyAccess", "arn:aws:iam::111122223333:policy/narrow"}
	if _, err := c.assume(t); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, values := range c.server.Requests()[0].Form {
		if strings.HasPrefix(name, "Policy") {
			got[name] = strings.Join(values, " and ")
		}
	}
	want := map[string]string{
		"Policy":                  c.request.Policy,
		"PolicyArns.member.1.arn": c.request.PolicyARNs[0], "PolicyArns.member.2.arn": c.request.PolicyARNs[1],
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// TestAssume compares the whole form of a request without them.
}

// TestLimit: the tenant's duration shortens the session, and never lengthens it.
func TestLimit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ lifetime, limit, want time.Duration }{
		{2 * time.Hour, 30 * time.Minute, 30 * time.Minute},
		{20 * time.Minute, 4 * time.Hour, 20 * time.Minute},
		{0, 30 * time.Minute, 30 * time.Minute},
		{0, 4 * time.Hour, time.Hour},
		{time.Hour, time.Minute, 15 * time.Minute},
	} {
		t.Run(fmt.Sprint(test.lifetime, test.limit), func(t *testing.T) {
			t.Parallel()
			c := newCall(t)
			c.request.Lifetime, c.request.Limit = test.lifetime, test.limit
			result, err := c.assume(t)
			if err != nil || result.Facts.Get(aws.RefusedDurationFact) != "" {
				t.Fatalf("shortened %q, %v", result.Facts.Get(aws.RefusedDurationFact), err)
			}
			if got := c.server.Requests()[0].Form.Get("DurationSeconds"); got != fmt.Sprint(test.want.Seconds()) {
				t.Errorf("asked for %s seconds, want %v", got, test.want)
			}
		})
	}
}
