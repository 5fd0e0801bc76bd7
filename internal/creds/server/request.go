package server

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rolecall/internal/httpguard"
	"rolecall/internal/version"
)

// Request is a question to a server.
type Request struct {
	Method string
	Path   string // below the server's address, not encoded
	Header http.Header
	Body   Body // the zero Body: none

	// Again reports whether an answer may pass, so that the request is made again; nil: Passing
	// of its status.
	Again func(Answer) bool
}

// Body is the body of a request.
type Body struct {
	kind    string // its media type
	content []byte
}

// JSON returns a value as a body. The value must be one that can be encoded.
func JSON(value any) Body {
	content, _ := json.Marshal(value) // a server refuses an empty body
	return Body{"application/json", content}
}

// Form returns fields as the body of a form.
func Form(fields url.Values) Body {
	return Body{"application/x-www-form-urlencoded", []byte(fields.Encode())}
}

// Answer is what a server has answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	Tries  int // how many requests were made for it
}

// Skew returns how much the clock of this host is ahead of the server's, to about a second, and
// false if the server has not said its time.
func (a Answer) Skew() (time.Duration, bool) {
	date, err := http.ParseTime(a.Header.Get("Date"))
	return time.Since(date).Round(time.Second), err == nil
}

// Passing reports whether an HTTP status is one of errors that may pass.
func Passing(status int) bool {
	return slices.Contains([]int{http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout}, status)
}

// errLong says that an answer is larger than any that a server of a source has to give.
var errLong = errors.New("its answer is larger than 1 MiB")

// again reports whether a request may be made again after its answer, or its error.
func (r Request) again(a Answer, err error) bool {
	var certificate *tls.CertificateVerificationError
	switch {
	case err != nil:
		return !errors.Is(err, httpguard.ErrPlain) && !errors.Is(err, errLong) && !errors.As(err, &certificate)
	case r.Again != nil:
		return r.Again(a)
	}
	return Passing(a.Status)
}

// once makes a request once.
func (s *Server) once(ctx context.Context, r Request) (Answer, error) {
	request, err := s.request(ctx, r)
	if err != nil {
		return Answer{}, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	a := Answer{Status: response.StatusCode, Header: response.Header}
	if a.Body, err = io.ReadAll(response.Body); err == nil && len(a.Body) > httpguard.MaxAnswer {
		err = errLong
	}
	return a, err
}

// request returns a request in the form of net/http.
func (s *Server) request(ctx context.Context, r Request) (*http.Request, error) {
	u := *s.base
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/")+"/"+strings.TrimPrefix(r.Path, "/"), ""
	request, err := http.NewRequestWithContext(ctx, r.Method, u.String(), bytes.NewReader(r.Body.content))
	if err != nil {
		return nil, err
	}
	if r.Header != nil {
		request.Header = r.Header.Clone()
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "rolecall/"+version.Version)
	if r.Body.kind != "" {
		request.Header.Set("Content-Type", r.Body.kind)
	}
	return request, nil
}

// cause says in fixed words why a request failed.
func cause(err error) string {
	if errors.Is(err, errLong) {
		return errLong.Error()
	}
	return cmp.Or(httpguard.Cause(err), "the request did not go through")
}
