package registry

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"rolecall/internal/httpguard"
)

const (
	maxRefusal = 32 << 10 // bytes that are read of an answer that is an error
	maxHops    = 5        // redirects of a request; the library does not bound them
)

// errLong is an answer that is longer than maxAnswer.
var errLong = fmt.Errorf("longer than %d bytes", maxAnswer)

// elsewhereError is a request that a registry has sent to another host.
type elsewhereError struct{ host string }

// Error says where to.
func (e *elsewhereError) Error() string { return "sent to " + e.host }

// statusError is an answer that is an error.
type statusError struct {
	status  int
	code    string        // of the registry, such as MANIFEST_UNKNOWN; may be empty
	after   time.Duration // that the registry asks to wait
	request *http.Request
}

// Error says what the answer was.
func (e *statusError) Error() string { return fmt.Sprintf("HTTP status %d", e.status) }

// way is the way to one registry. It decides where requests may go, and turns answers
// that are errors into a statusError.
type way struct {
	guard *httpguard.Guard
	host  string

	once    sync.Once
	asked   chan struct{} // closed when the registry was asked over https
	failure error         // of that request
}

// newWay returns the way to the registry at a host.
func newWay(guard *httpguard.Guard, host string) *way {
	return &way{guard: guard, host: host, asked: make(chan struct{})}
}

// RoundTrip makes one request.
func (w *way) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := w.allow(r); err != nil {
		return nil, err
	}
	response, err := w.guard.RoundTrip(r)
	if r.URL.Scheme == "https" && r.URL.Host == w.host {
		w.once.Do(func() {
			w.failure = err
			close(w.asked)
		})
	}
	if err != nil {
		return nil, err
	}
	return check(response)
}

// allow returns an error if a request must not be made. Only content may come from
// another host than the registry, since its digest is known: many registries keep it in
// an object store. Nothing may come from this host, unless the registry is there.
func (w *way) allow(r *http.Request) error {
	local := httpguard.IsLoopback(r.URL.Hostname()) && !httpguard.IsLoopback((&url.URL{Host: w.host}).Hostname())
	first, hops := origin(r)
	switch {
	case hops > maxHops:
		return &elsewhereError{r.URL.Host + " again and again"}
	case local, first.URL.Host != r.URL.Host && !isContent(first.URL):
		return &elsewhereError{r.URL.Host}
	case r.URL.Scheme != "https" && r.URL.Host == w.host:
		return w.plain(r.Context())
	}
	return nil
}

// plain returns an error if the registry must not be asked over http: where it speaks
// https, there is no going back, whatever the error was.
func (w *way) plain(ctx context.Context) error {
	select {
	case <-w.asked:
	case <-ctx.Done():
		return ctx.Err()
	}
	if w.failure == nil {
		return httpguard.ErrPlain
	}
	if speaksPlain(w.failure) {
		return nil
	}
	return w.failure
}

// speaksPlain reports whether a request over https failed since the server speaks http.
func speaksPlain(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) && string(record.RecordHeader[:]) == "HTTP/" || errors.Is(err, http.ErrSchemeMismatch)
}

// origin returns the request that redirects have led from, and their number.
func origin(r *http.Request) (first *http.Request, hops int) {
	for ; r.Response != nil && r.Response.Request != nil; hops++ {
		r = r.Response.Request
	}
	return r, hops
}

// isContent reports whether a request is for content, and not for what a name stands for.
func isContent(u *url.URL) bool { return path.Base(path.Dir(u.Path)) == "blobs" }

// check returns a response with bounds, or the error that it is. The library needs an
// answer with status 401: it may have a challenge.
func check(response *http.Response) (*http.Response, error) {
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized:
		response.Body = &bounded{response.Body, io.LimitReader(response.Body, maxRefusal), maxRefusal}
		return response, nil
	case status < 400:
		response.Body = &bounded{response.Body, response.Body, maxAnswer}
		return response, nil
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal)) // the status is enough
	var refusal transport.Error
	_ = json.Unmarshal(body, &refusal)
	return nil, &statusError{response.StatusCode, codeOf(&refusal), retryAfter(response.Header.Get("Retry-After")), response.Request}
}

// codeOf returns the error code of an answer, and "" if there is none that can be printed.
//
// https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
func codeOf(refusal *transport.Error) string {
	if len(refusal.Errors) == 0 {
		return ""
	}
	code := string(refusal.Errors[0].Code)
	for _, r := range code {
		if r != '_' && (r < 'A' || r > 'Z') {
			return ""
		}
	}
	return clip(code)
}

// retryAfter reads the header Retry-After: seconds or a date.
func retryAfter(text string) time.Duration {
	const year = 365 * 24 * 60 * 60
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil {
		return time.Duration(min(seconds, year)) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return time.Until(date)
	}
	return 0
}

// bounded is a body of which no more than left bytes may come.
type bounded struct {
	io.Closer
	io.Reader
	left int64
}

// Read reads, and returns errLong if too much comes.
func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errLong
	}
	return n, err
}
