package lab

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rolecall/test/kit"
)

// maxForm bounds the size of a request to STS, and of its answer, in bytes.
const maxForm = 1 << 20

// Issued is a request to STS and its answer. If the answer is cut, so are the fields.
type Issued struct {
	RoleARN, SessionName, IDToken              string
	AccessKeyID, SecretAccessKey, SessionToken string
	Expiration                                 string // as STS wrote it
}

// Call is a request to another API, such as S3.
type Call struct {
	Method, Path string
	AccessKeyID  string // of who signed the request; empty where nobody did
	Status       int
	Body         string // of a PUT that is not larger than a form
}

// Recorder is a proxy on loopback that records the requests to STS and S3 which pass
// it. Its methods may be called concurrently.
type Recorder struct {
	url  string
	http *http.Server

	cut  atomic.Bool // connections end without an answer
	gate kit.Gate

	mu     sync.Mutex
	issued []Issued
	calls  []Call
}

// Record starts a recorder for the server at target, an http URL.
func Record(target string) (*Recorder, error) {
	to, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Recorder{url: "http://" + listener.Addr().String()}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{}, // without the proxy of the environment
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(to)
			p.Out.Host = p.In.Host // a signature covers it
		},
		ModifyResponse: r.remember,
	}
	r.http = &http.Server{Handler: r.gate.Handler(r.breakable(keepForm(proxy))), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = r.http.Serve(listener) }() // It ends with Close, by an error.
	return r, nil
}

// Cut lets all connections end without an answer, or heals them.
func (r *Recorder) Cut(cut bool) { r.cut.Store(cut) }

// Hold holds the requests that match.
func (r *Recorder) Hold(matches func(*http.Request) bool) *kit.Hold { return r.gate.Hold(matches) }

// breakable answers by next unless connections are cut.
func (r *Recorder) breakable(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if r.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, request)
	})
}

// URL returns the recorder's address, to be used instead of the target's.
func (r *Recorder) URL() string { return r.url }

// Close ends the recorder and drops its connections.
func (r *Recorder) Close() { _ = r.http.Close() }

// Issued returns what STS has issued so far, in the order of its answers.
func (r *Recorder) Issued() []Issued {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.issued)
}

// Calls returns the other requests so far, in the order of their answers.
func (r *Recorder) Calls() []Call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Secrets returns the secret keys and session tokens that STS has issued, and the ID
// tokens that it has received, also those that it refused. An access key id is not a
// secret.
func (r *Recorder) Secrets() []string {
	var secrets []string
	for _, i := range r.Issued() {
		secrets = append(secrets, i.IDToken, i.SecretAccessKey, i.SessionToken)
	}
	return slices.DeleteFunc(secrets, func(s string) bool { return s == "" })
}

// remember records an exchange when its answer begins to arrive.
func (r *Recorder) remember(answer *http.Response) error {
	request := answer.Request
	form := formOf(request)
	if form.Get("WebIdentityToken") == "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.calls = append(r.calls, Call{request.Method, request.URL.Path, signer(request), answer.StatusCode, form.Get(putKey)})
		return nil
	}
	// The client gets exactly the server's answer, and its error if there is one.
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxForm))
	rest := answer.Body
	answer.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), failing{err}, rest), rest}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.issued = append(r.issued, Issued{
		RoleARN:         form.Get("RoleArn"),
		SessionName:     form.Get("RoleSessionName"),
		IDToken:         form.Get("WebIdentityToken"),
		AccessKeyID:     element(body, "AccessKeyId"),
		SecretAccessKey: element(body, "SecretAccessKey"),
		SessionToken:    element(body, "SessionToken"),
		Expiration:      element(body, "Expiration"),
	})
	return nil
}

// failing is a reader without content. It ends with err, or io.EOF if err is nil.
type failing struct{ err error }

// Read returns the error.
func (f failing) Read([]byte) (int, error) {
	if f.err == nil {
		return 0, io.EOF
	}
	return 0, f.err
}

// element returns the text of the first XML element with this name, or the part of it
// that is there. The document need not be well-formed: half an answer may hold a whole
// secret.
func element(body []byte, name string) string {
	_, after, _ := strings.Cut(string(body), "<"+name+">")
	text, _, _ := strings.Cut(after, "<")
	return strings.TrimSpace(text)
}

// putKey is the name of the body of a PUT among the fields of a form, which no form has.
const putKey = "\x00body"

// formKey is the key of a request's form in its context.
type formKey struct{}

// keepForm reads the form of each request, and passes the request on with its body
// unread.
func keepForm(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		form := r.URL.Query()
		if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			posted, _ := url.ParseQuery(string(body)) // What can be read of it counts.
			maps.Copy(form, posted)
		}
		if r.Method == http.MethodPut && r.ContentLength >= 0 && r.ContentLength <= maxForm {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			form.Set(putKey, string(body))
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), formKey{}, form)))
	})
}

// formOf returns the form of a request that has passed keepForm.
func formOf(r *http.Request) url.Values {
	form, _ := r.Context().Value(formKey{}).(url.Values)
	return form
}

// signer returns the access key id in the signature of a request.
func signer(r *http.Request) string {
	_, credential, ok := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	if !ok {
		credential = r.URL.Query().Get("X-Amz-Credential")
	}
	id, _, _ := strings.Cut(credential, "/")
	return id
}
