package prepare

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/backend"
	"rolecall/internal/image"
	"rolecall/internal/tenant"
)

// build builds the place of the job. No server is asked for credentials before that.
func (a admitted) build(spec backend.Spec) error {
	order := backend.Order{
		Containers: spec.Containers,
		Logins:     logins(a.s.Logins),
		Proxy:      proxies(a.Env.Service),
		Resolve:    a.resolve,
		Say:        a.say,
		Warn:       a.warn,
	}
	if a.s.Grant.Tenant != tenant.None {
		order.Secrets = filepath.Dir(a.folder.Path())
	}
	return a.place.Build(context.Background(), a.folder.Record().Data, a.key.ID, order)
}

// say shows a line in the job log, with text that is not ours.
func (a admitted) say(text string) { a.tell(a.Log.Info, text) }

// warn shows a warning with text that is not ours, such as the log of a service.
func (a admitted) warn(text string) { a.tell(a.Log.Warn, text) }

// tell shows a text, in which the tokens and passwords of the job are masked.
func (a admitted) tell(show func(...any), text string) {
	if err := a.masked(); err == nil { // else the stage ends with that error, too
		show(a.Masked(text))
	}
}

// logins returns the logins for the backend.
func logins(all []image.Login) []backend.Login {
	var out []backend.Login
	for _, l := range all {
		out = append(out, backend.Login(l))
	}
	return out
}

// proxies returns the variables of an environment that name proxies.
func proxies(environ []string) []string {
	return only(environ, "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
}

// certificates returns the variables of an environment that name the CAs of the host.
func certificates(environ []string) []string { return only(environ, "SSL_CERT_FILE", "SSL_CERT_DIR") }

// only returns the entries of an environment with those names.
func only(environ []string, names ...string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(names, name)
	})
}
