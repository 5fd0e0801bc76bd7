package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"rolecall/internal/httpguard"
)

// How servers are asked, and how far their clocks may be from this host's.
const (
	patience    = 5 * time.Second
	noticedSkew = 5 * time.Second
	refusedSkew = time.Minute // what an ID token is allowed
)

// ask makes a request to a server, whatever it answers, and returns what the
// answer's Date says of this host's clock. Its error names the server, without a
// password that may stand in the address.
func (s *site) ask(ctx context.Context, bundle, proxy, address string) ([]Finding, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || request.URL.Host == "" {
		return nil, errors.New("the address of a server is no URL")
	}
	host := request.URL.Host
	response, err := s.client(bundle, proxy).Do(request)
	if errors.Is(err, httpguard.ErrPlain) {
		return nil, fmt.Errorf("%s: %w", host, httpguard.ErrPlain)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s", host, httpguard.Cause(err))
	}
	defer response.Body.Close()
	return checkClock(host, response.Header.Get("Date"), time.Now()), nil
}

// client returns the way to a server, by a proxy, or else that of this process's
// environment, and with the CAs of a file beside the system's. What is wrong with
// the file is said by checkFiles.
func (s *site) client(bundle, proxy string) *http.Client {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	roots.AppendCertsFromPEM(readIf(bundle))
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}
	if u, err := url.Parse(proxy); err == nil && proxy != "" {
		transport.Proxy = http.ProxyURL(u)
	}
	return httpguard.New(transport, patience).Client()
}

// checkClock holds this host's clock against a server's, as the header Date of its
// answer gives it, to the second.
func checkClock(host, date string, now time.Time) []Finding {
	const area = "clock"
	server, err := http.ParseTime(date)
	if err != nil {
		return nil
	}
	skew := now.Sub(server).Round(time.Second)
	what := fmt.Sprintf("this host is %+.0f s from %s", skew.Seconds(), host)
	switch {
	case skew.Abs() > refusedSkew:
		return []Finding{fail(area, what, "set the clock by NTP: ID tokens and credentials are refused")}
	case skew.Abs() > noticedSkew:
		return []Finding{warn(area, what, "set the clock by NTP")}
	}
	return []Finding{ok(area, what)}
}
