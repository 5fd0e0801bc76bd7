package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"rolecall/test/lab"
)

const (
	tlsLimit = 0.5
	tlsAim   = 0.35
	// hostRoots is where Debian has the authorities that a host trusts.
	hostRoots = "/etc/ssl/certs/ca-certificates.crt"
)

// overTLS compares prepare with curl where STS has TLS: once the host's roots and one of one's own
// are trusted, as a host has them, and once the own one alone, as by AWS_CA_BUNDLE.
func (i *issuer) overTLS(ctx context.Context, post string) ([]result, error) {
	server, err := lab.StartTLS(filepath.Join(i.dir, "tls"), i.sts)
	if err != nil {
		return nil, err
	}
	defer server.Close()
	own, err := os.ReadFile(server.CA)
	if err != nil {
		return nil, err
	}
	host, err := os.ReadFile(hostRoots)
	if err != nil {
		return []result{{what: "prepare over TLS", against: "curl", limit: tlsLimit, note: err.Error()}}, nil
	}
	all := filepath.Join(i.dir, "all.pem")
	if err := os.WriteFile(all, slices.Concat(host, own), 0o600); err != nil {
		return nil, err
	}
	defer func() { i.more = nil }()
	var results []result
	for _, with := range []struct{ what, variable, bundle string }{
		{"prepare over TLS, roots of the host and one more", "SSL_CERT_FILE", all},
		{"prepare over TLS, one root", "AWS_CA_BUNDLE", server.CA},
	} {
		i.more = []string{"AWS_ENDPOINT_URL_STS=" + server.URL, with.variable + "=" + with.bundle}
		samples, err := compare(ctx, prepareRounds/2, i.plainly,
			func(ctx context.Context) (time.Duration, error) {
				return i.curl(ctx, server.URL, "--cacert", with.bundle)
			},
			func(ctx context.Context) (time.Duration, error) {
				return i.post(ctx, post, server.URL, "SSL_CERT_FILE="+with.bundle)
			})
		if err != nil {
			return nil, err
		}
		results = append(results, result{what: with.what, times: samples[0], against: "curl, the same POST and bundle", base: samples[1], floor: samples[2], limit: tlsLimit, aim: tlsAim})
	}
	return results, nil
}

// post measures the least Go program with the last request of the prepare stage.
func (i *issuer) post(ctx context.Context, program, url string, env ...string) (time.Duration, error) {
	cmd := command(ctx, append(env, "HOME="+i.home), program, url)
	cmd.Stdin = strings.NewReader(i.lastForm())
	return timed(cmd)
}

// lastForm is the last request of the prepare stage.
func (i *issuer) lastForm() string {
	requests := i.sts.Requests()
	return requests[len(requests)-1].Form.Encode()
}
