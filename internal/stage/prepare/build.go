package prepare

import (
	"context"
	"path/filepath"

	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/endpoint"
	"rolecall/internal/image"
	"rolecall/internal/program"
	"rolecall/internal/tenant"
)

// build builds the place of the job. No server is asked for credentials before that.
func (a admitted) build(spec backend.Spec) error {
	order := backend.Order{
		Containers: spec.Containers,
		Logins:     logins(a.s.Logins),
		Proxy:      program.Proxies(a.Env.Service),
		Resolve:    a.resolve,
		Say:        a.say,
		Warn:       a.warn,
	}
	if a.s.Grant.Tenant != tenant.None {
		order.Secrets = filepath.Dir(a.folder.Path())
	}
	if served := servedOf(a.s.Orders); len(served) > 0 {
		order.Endpoint, order.Program = true, programOf(served)
	}
	return a.place.Build(context.Background(), a.folder.Record().Data, a.key.ID, order)
}

// programOf returns the program that tools start for a credential: it must be in a container
// too. It is empty if there is none.
func programOf(orders []creds.Order) string {
	for _, o := range orders {
		if len(o.Tools) > 0 {
			return program.PathBeside(endpoint.Credential)
		}
	}
	return ""
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
