// Package listen opens the addresses at which a broker answers jobs: http where the SDKs of AWS
// take it, which no network sees, and https everywhere else.
package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// Address is where a broker listens.
type Address struct {
	TLS  bool
	Host netip.AddrPort
}

// local returns the addresses that the SDKs take by http, beside loopback: those of AWS's own
// agents, which no router passes on.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func local() []netip.Addr {
	return []netip.Addr{netip.MustParseAddr("169.254.170.2"), netip.MustParseAddr("169.254.170.23"), netip.MustParseAddr("fd00:ec2::23")}
}

// Parse reads a URL such as http://169.254.170.23 or https://0.0.0.0:8443. Its host must be an
// IP address.
func Parse(text string) (Address, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || strings.ContainsAny(text, "@?#") {
		return Address{}, fmt.Errorf("%.100q is not a URL such as http://169.254.170.23 or https://0.0.0.0:8443", text)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	host, err := netip.ParseAddrPort(net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return Address{}, fmt.Errorf("%.100q: the host must be an IP address of this machine, or 0.0.0.0", text)
	}
	if u.Scheme == "http" && !isLocal(host.Addr()) {
		return Address{}, fmt.Errorf("%.100q: http is for loopback, 169.254.170.2, 169.254.170.23 and fd00:ec2::23 only: tokens and credentials would cross a network in the clear; use https", text)
	}
	return Address{u.Scheme == "https", host}, nil
}

// isLocal reports whether the SDKs take an address by http.
func isLocal(a netip.Addr) bool { return a.IsLoopback() || slices.Contains(local(), a) }

// String returns the address as a URL.
func (a Address) String() string {
	if a.TLS {
		return "https://" + a.Host.String()
	}
	return "http://" + a.Host.String()
}

// Listen opens the address. Certificate returns the certificate in force; it is not called
// without TLS.
func (a Address) Listen(certificate func() *tls.Certificate) (net.Listener, error) {
	l, err := net.Listen("tcp", a.Host.String())
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w%s", a, err, a.advice(err))
	}
	if !a.TLS {
		return l, nil
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate(), nil },
	}), nil
}

// advice says what to do about an error of net.Listen.
func (a Address) advice(err error) string {
	switch {
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Sprintf("; give this machine the address: ip address add %s dev lo", netip.PrefixFrom(a.Host.Addr(), a.Host.Addr().BitLen()))
	case errors.Is(err, syscall.EADDRINUSE):
		return "; another program, such as an agent of AWS, has the address: choose another one"
	case errors.Is(err, syscall.EACCES):
		return "; give the program CAP_NET_BIND_SERVICE, or choose a port from 1024 on"
	}
	return ""
}
