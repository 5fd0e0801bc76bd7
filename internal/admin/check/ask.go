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

// Bounds of the time that a check takes, and of the difference between two clocks.
const (
	patience    = 5 * time.Second
	noticedSkew = 5 * time.Second
	refusedSkew = time.Minute // ID tokens are refused beyond it
)

// checkServer sends a request to a server, and checks this host's clock against the Date
// of the answer. Any answer is fine. The error names the server, but not a password in
// its address.
func (h *host) checkServer(ctx context.Context, bundle, proxy, address string) ([]Finding, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil || request.URL.Host == "" {
		return nil, errors.New("the address of a server is not a URL")
	}
	host := request.URL.Host
	response, err := h.client(bundle, proxy).Do(request)
	if errors.Is(err, httpguard.ErrPlain) {
		return nil, fmt.Errorf("%s: %w", host, httpguard.ErrPlain)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %s", host, httpguard.Cause(err))
	}
	defer response.Body.Close()
	return checkClock(host, response.Header.Get("Date"), time.Now()), nil
}

// client returns a client for a server. It uses the proxy, or else the proxy of this
// process's environment, and the CAs of the file bundle beside the system's. An error in
// the file is reported by checkFiles.
func (h *host) client(bundle, proxy string) *http.Client {
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
	if proxy != "" {
		u, err := url.Parse(proxy)
		transport.Proxy = func(*http.Request) (*url.URL, error) { return u, err }
	}
	return httpguard.New(transport, patience).Client()
}

// checkClock compares this host's clock with a server's clock. Date is the header of the
// server's answer, which is precise to the second.
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
		return []Finding{fix(idClock, area, what, "set the clock by NTP: ID tokens and credentials are refused")}
	case skew.Abs() > noticedSkew:
		return []Finding{look(idClock, area, what, "set the clock by NTP")}
	}
	return []Finding{ok(area, what)}
}
