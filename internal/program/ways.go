package program

import (
	"slices"
	"strings"
)

// Proxies returns the variables of an environment that name proxies.
func Proxies(environ []string) []string {
	return Only(environ, "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
}

// Certificates returns the variables of an environment that name the CAs of the host.
func Certificates(environ []string) []string { return Only(environ, "SSL_CERT_FILE", "SSL_CERT_DIR") }

// Only returns the entries of an environment with those names.
func Only(environ []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(names, name)
	})
}
