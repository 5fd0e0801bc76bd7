package jwks

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
)

// Times of requests.
const (
	attempt = 5 * time.Second        // how long one request may take
	pause   = 200 * time.Millisecond // before the second try
)

// fetch requests the keys that the issuer publishes. Its errors name the server and hold
// no part of the answer.
func (s Source) fetch(ctx context.Context) ([]jose.JSONWebKey, error) {
	transport, err := s.transport()
	if err != nil {
		return nil, err
	}
	defer transport.CloseIdleConnections()
	client := httpguard.New(transport, attempt).Client()
	address := s.URL
	if address == "" {
		if address, err = s.discover(ctx, client); err != nil {
			return nil, err
		}
	}
	u, err := parseURL(address)
	if err != nil {
		return nil, fault.New(fault.BadIssuer, fmt.Errorf("the URL of the keys is %w", err), "correct jwks_url, or the issuer's jwks_uri")
	}
	body, err := get(ctx, client, u)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(body)
	if err != nil {
		return nil, fmt.Errorf("the answer of %s has %w", u.Host, err)
	}
	return keys, nil
}

// discover requests the URL of the issuer's keys from the issuer. It fails if the answer
// names another issuer.
//
// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfigurationValidation
func (s Source) discover(ctx context.Context, client *http.Client) (string, error) {
	u, err := parseURL(strings.TrimSuffix(s.Issuer, "/") + "/.well-known/openid-configuration")
	if err != nil {
		return "", fault.New(fault.BadIssuer, fmt.Errorf("the issuer %q is %w", s.Issuer, err), "correct issuer in the policy file")
	}
	body, err := get(ctx, client, u)
	if err != nil {
		return "", err
	}
	var answer struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return "", fmt.Errorf("the answer of %s is not an OpenID configuration", u.Host)
	}
	if answer.Issuer != s.Issuer {
		return "", fault.New(fault.BadIssuer, fmt.Errorf("the server %s is not the issuer %q", u.Host, s.Issuer),
			"write issuer in the policy file as the claim iss of the server's ID tokens, or set jwks_url")
	}
	return answer.Keys, nil
}

// parseURL reads a URL with the scheme http or https, a host and no password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.User != nil {
		return nil, errors.New("not an https URL")
	}
	return u, nil
}

// transport returns an HTTP transport that uses the service's proxy and trusts CABundle, too.
func (s Source) transport() (*http.Transport, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if s.CABundle != nil && !roots.AppendCertsFromPEM(s.CABundle) {
		return nil, fault.New(fault.BadIssuer, errors.New("the CA bundle for the issuer's keys has no certificate"), "correct ca_bundle")
	}
	return &http.Transport{
		Proxy:           http.ProxyFromEnvironment,
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}, nil
}

// get requests u and returns the body of the answer. It tries a second time if the first
// error may pass.
func get(ctx context.Context, client *http.Client, u *url.URL) ([]byte, error) {
	body, again, err := once(ctx, client, u)
	if again && sleep(ctx) {
		body, _, err = once(ctx, client, u)
	}
	return body, err
}

// sleep sleeps for pause. It reports false if ctx is done before.
func sleep(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// once makes one request. If it fails, again says whether a second one may succeed.
func once(ctx context.Context, client *http.Client, u *url.URL) (body []byte, again bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, false, err
	}
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if errors.Is(err, httpguard.ErrPlain) {
		return nil, false, fault.New(fault.BadIssuer, fmt.Errorf("the URL of the keys, at %s, is %w", u.Host, httpguard.ErrPlain), "use https")
	}
	if err != nil {
		return nil, true, failed(u, err)
	}
	defer response.Body.Close()
	if status := response.StatusCode; status != http.StatusOK {
		return nil, status >= 500 || status == http.StatusTooManyRequests, fmt.Errorf("%s: HTTP status %d", u.Host, status)
	}
	body, err = io.ReadAll(response.Body)
	if err != nil {
		return nil, true, failed(u, err)
	}
	if len(body) >= httpguard.MaxAnswer {
		return nil, false, fmt.Errorf("%s: the answer is longer than %d bytes", u.Host, httpguard.MaxAnswer)
	}
	return body, false, nil
}

// failed returns the error that a request failed with err, whose text must not be printed.
func failed(u *url.URL, err error) error {
	return fmt.Errorf("%s: %s", u.Host, cmp.Or(httpguard.Cause(err), "the request did not go through"))
}
