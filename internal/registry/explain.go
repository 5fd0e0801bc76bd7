package registry

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
)

// problem is an error with what to do about it.
type problem struct {
	err   *fault.Error
	again bool          // whether another try may succeed
	after time.Duration // that the registry asks to wait; 0: it does not say
}

// explain says whose an error is, and adds what is known of the case.
func (q query) explain(err error) problem {
	p := q.class(err)
	p.err = p.err.With("image", q.name).With("registry", q.host()).With("login", q.login.source())
	if s := statusOf(err); s != nil {
		p.err = p.err.With("request", s.asked()).With("answer", s.answer())
		p.after = s.after
	}
	return p
}

// class returns the class of an error, without what is known of the case.
func (q query) class(err error) problem {
	var own *fault.Error
	var other *elsewhereError
	switch {
	case errors.As(err, &own):
		return problem{err: own}
	case errors.As(err, &other):
		return problem{err: fault.New(fault.NoImage, fmt.Errorf("%s is not the registry of the image: it sends requests to %s", q.host(), other.host),
			"write the name of the image with the host that has it")}
	case errors.Is(err, errLong):
		return problem{err: unfit(fmt.Errorf("an answer about the image is %w", errLong), "choose another image")}
	}
	if s := statusOf(err); s != nil {
		return q.refused(s)
	}
	return q.silent(err)
}

// refused returns the class of an answer with an HTTP status.
func (q query) refused(s *statusError) problem {
	switch status := s.status; {
	case s.isStorage():
		return q.away(fmt.Errorf("the registry %s keeps the image at %s, which answers with HTTP status %d", q.host(), s.request.URL.Host, status))
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return problem{err: fault.New(fault.ImageDenied, fmt.Errorf("the registry %s does not give this job the image", q.host()), q.getLogin())}
	case status == http.StatusTooManyRequests:
		return q.away(fmt.Errorf("the registry %s has had too many requests of this host or login", q.host()))
	case status >= 500, status < 400, status == http.StatusRequestTimeout, status == http.StatusMisdirectedRequest, status == http.StatusTooEarly:
		return q.away(fmt.Errorf("the registry %s answers with HTTP status %d", q.host(), status))
	}
	return problem{err: fault.New(fault.NoImage, fmt.Errorf("the registry %s does not have the image", q.host()),
		"correct the name, tag or digest of the image; some registries also say this where a login is missing")}
}

// getLogin says what to do where a registry wants another login, or one at all.
func (q query) getLogin() string {
	if q.login != nil {
		return "check the name of the image, and that the login of " + q.login.Source + " may pull it"
	}
	return "check the name of the image; if it is private, give the job a login by the variable DOCKER_AUTH_CONFIG"
}

// away returns the class of an error that may pass.
func (q query) away(what error) problem {
	return problem{err: fault.New(fault.NoRegistry, what, ""), again: true}
}

// silent returns the class of an error without a status. The text of err itself is not
// printed: it may hold a part of an answer, or a proxy's password.
func (q query) silent(err error) problem {
	var network *url.Error
	var certificate *tls.CertificateVerificationError
	local := httpguard.IsLoopback((&url.URL{Host: q.host()}).Hostname()) // asked over http too, if it does not speak https
	cause := httpguard.Cause(err)
	switch {
	case cause != "":
	case errors.Is(err, httpguard.ErrPlain), speaksPlain(err) && !local:
		cause = "it, or where it sends requests, speaks http, and http is for loopback only"
	case errors.As(err, &network):
		cause = "the request did not go through"
	}
	if cause != "" {
		p := q.away(fmt.Errorf("the registry %s does not answer: %s", q.host(), cause))
		p.again = !errors.As(err, &certificate)
		return p
	}
	return q.away(fmt.Errorf("the registry %s answers with something else than what it was asked for", q.host()))
}

// statusOf returns the answer that is the error, and nil if there is none.
func statusOf(err error) *statusError {
	if s, ok := errors.AsType[*statusError](err); ok {
		return s
	}
	if refusal, ok := errors.AsType[*transport.Error](err); ok {
		return &statusError{status: refusal.StatusCode, code: codeOf(refusal), request: refusal.Request}
	}
	return nil
}

// isStorage reports whether the answer is of another host, to which the registry has sent
// the request.
func (s *statusError) isStorage() bool {
	if s.request == nil {
		return false
	}
	first, _ := origin(s.request)
	return first.URL.Host != s.request.URL.Host
}

// asked returns the request, without what may be secret in it.
func (s *statusError) asked() string {
	if s.request == nil {
		return ""
	}
	u := s.request.URL
	return s.request.Method + " " + (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// answer returns the status and the code of the answer.
func (s *statusError) answer() string {
	text := fmt.Sprintf("HTTP status %d", s.status)
	if s.code != "" {
		text += " " + s.code
	}
	return text
}
