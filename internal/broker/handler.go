package broker

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/answer"
	"rolecall/internal/broker/bearer"
	"rolecall/internal/broker/hold"
	"rolecall/internal/fault"
)

// retryTime is when a client shall try again whose answer is not there yet.
const retryTime = time.Second

// ServeHTTP answers a job.
func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	client := clientOf(r)
	credential, refused := s.answer(r, client)
	status := http.StatusOK
	if refused == nil {
		answer.Credential(w, credential)
	} else {
		status = refused.Status
		answer.Refuse(w, *refused)
	}
	s.metrics.Answered(status, time.Since(began))
}

// clientOf returns the address that asks. What a proxy says of it is not believed.
func clientOf(r *http.Request) netip.Addr {
	client, _ := netip.ParseAddrPort(r.RemoteAddr) // net/http writes it
	return client.Addr().Unmap()
}

// answer returns the answer to a request, or why there is none.
func (s *service) answer(r *http.Request, client netip.Addr) (string, *answer.Refusal) {
	path := r.RequestURI // as it was sent: a path that needs to be cleaned is another one
	target, ok := bearer.ParsePath(path)
	named := r.Header["Authorization"]
	switch {
	case r.Method != http.MethodGet:
		return "", refuse(http.StatusMethodNotAllowed, "MethodNotAllowed", "only GET is answered")
	case !ok || !s.serves(target.Provider):
		return "", refuse(http.StatusNotFound, "NotFound", "ask for /v1/aws/TENANT, /v1/aws/TENANT/SOURCE or /v1/aws")
	case len(named) != 1 || named[0] == "":
		return "", refuse(http.StatusUnauthorized, string(fault.NoToken), "send the job's ID token as Authorization, once: name it AWS_CONTAINER_AUTHORIZATION_TOKEN under id_tokens:")
	case strings.ContainsRune(named[0], ' '):
		return "", refuse(http.StatusUnauthorized, string(fault.ForeignToken), "the header Authorization must be the ID token alone, without Bearer before it")
	}
	ask := hold.Ask{Token: named[0], Path: path, Client: client.String()}
	if kept, err := s.keeper.Kept(ask); !errors.Is(err, hold.ErrNone) {
		return kept, refusalOf(err)
	}
	if !s.clients.mayTry(client, time.Now()) {
		r := refuse(http.StatusTooManyRequests, "TooManyRequests", "too many requests of your address were refused; wait, and mend what the answers said")
		r.After = retryTime
		return "", r
	}
	got, err := s.keeper.Get(r.Context(), ask)
	return got, refusalOf(err)
}

// serves reports whether the tools of a provider of that name send their token here.
func (s *service) serves(provider string) bool {
	for _, p := range s.program {
		if _, sends := p.(admission.Sender); sends && p.Name() == provider {
			return true
		}
	}
	return false
}

// refuse returns a refusal.
func refuse(status int, code, text string) *answer.Refusal {
	return &answer.Refusal{Code: code, Message: "rolecall: " + text, Status: status}
}

// refusalOf returns the refusal that says an error, and nil for none. Of 5xx alone a client shall
// try again.
func refusalOf(err error) *answer.Refusal {
	var r *answer.Refusal
	switch ended := (hold.Ended{}); {
	case err == nil:
		return nil
	case errors.Is(err, hold.ErrOften):
		r = refuse(http.StatusTooManyRequests, "TooManyRequests", err.Error()+"; wait a second")
	case errors.Is(err, hold.ErrLater), errors.Is(err, hold.ErrBusy):
		r = refuse(http.StatusServiceUnavailable, "Later", err.Error()+"; ask again")
	case errors.As(err, &ended):
		r = refuse(http.StatusUnauthorized, "ExpiredToken", err.Error()+"; GitLab gives a token the time of the job's timeout, and max_token_age of the tenant can shorten that")
	default:
		r = refuse(statusOf(err), string(fault.CodeOf(err)), oneLine(err))
	}
	if r.Status >= http.StatusInternalServerError || r.Status == http.StatusTooManyRequests {
		r.After = retryTime
	}
	return r
}

// statusOf returns the HTTP status of the answer that says an error.
func statusOf(err error) int {
	switch fault.CodeOf(err) {
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.ForeignToken, fault.NoToken:
		return http.StatusUnauthorized
	case fault.Suspended: // it is about the job, and trying again does not help
		return http.StatusForbidden
	}
	switch fault.SideOf(err) {
	case fault.Infrastructure:
		return http.StatusServiceUnavailable
	case fault.Admin:
		return http.StatusInternalServerError // it is not about the job
	case fault.Author, fault.Account:
	}
	return http.StatusForbidden
}

// oneLine returns what is known of an error, on one line: what is wrong, the rows, and what to do.
func oneLine(err error) string {
	text := err.Error()
	for _, row := range fault.Rows(err) {
		if !row.Detail {
			text += "; " + row.Label + ": " + row.Text
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
