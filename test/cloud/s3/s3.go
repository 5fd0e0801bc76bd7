// Package s3 stands in for Amazon S3, as far as a job puts and gets objects by path. It judges the
// signature of each request, with its session token and its time; a session gets into the bucket of
// its role alone. What it does not know it refuses.
//
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
package s3

import (
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"rolecall/test/cloud/account"
	"rolecall/test/signature"
)

// Bounds of a request.
const (
	maxSkew   = 15 * time.Minute // between its time and that of the server
	maxObject = 5 << 20          // bytes
)

// Server is the S3 of an account.
type Server struct {
	account *account.Account

	mu      sync.Mutex
	objects map[string]object // by bucket, slash and key
}

// object is what was put.
type object struct {
	content   []byte
	checksums http.Header // as the client named them
}

// New returns the S3 of an account, in which each role has its bucket.
func New(a *account.Account) *Server { return &Server{account: a, objects: map[string]object{}} }

// failure is the XML of an error.
type failure struct {
	XMLName xml.Name `xml:"Error"`
	Code    string
	Message string
	status  int
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxObject))
	if err != nil {
		write(w, failure{Code: "EntityTooLarge", Message: "Your proposed upload exceeds the maximum allowed size", status: http.StatusBadRequest})
		return
	}
	session, refused := s.whose(r, body)
	if refused == nil {
		refused = s.serve(w, r, session.Role, body)
	}
	if refused != nil {
		write(w, *refused)
	}
}

// whose returns the session that has signed a request.
func (s *Server) whose(r *http.Request, body []byte) (account.Session, *failure) {
	signed, ok := signature.Of(r)
	session, known := s.account.Session(signed.KeyID)
	hash := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case !ok || signed.Service != "s3":
		return session, &failure{Code: "AccessDenied", Message: "Access Denied.", status: http.StatusForbidden}
	case s.account.Now().Sub(signed.At).Abs() > maxSkew:
		return session, &failure{Code: "RequestTimeTooSkewed", Message: "The difference between the request time and the current time is too large.", status: http.StatusForbidden}
	case !known || r.Header.Get("X-Amz-Security-Token") == "":
		return session, &failure{Code: "InvalidAccessKeyId", Message: "The AWS Access Key Id you provided does not exist in our records.", status: http.StatusForbidden}
	case r.Header.Get("X-Amz-Security-Token") != session.Keys.SessionToken:
		return session, &failure{Code: "InvalidToken", Message: "The provided token is malformed or otherwise invalid.", status: http.StatusBadRequest}
	case !s.account.Now().Before(session.Keys.Expires):
		return session, &failure{Code: "ExpiredToken", Message: "The provided token has expired.", status: http.StatusBadRequest}
	case !signed.Covers(r):
		return session, &failure{Code: "AccessDenied", Message: "There were headers present in the request which were not signed", status: http.StatusForbidden}
	case !signed.Fits(r, hash, session.Keys):
		return session, &failure{Code: "SignatureDoesNotMatch", Message: "The request signature we calculated does not match the signature you provided. Check your key and signing method.", status: http.StatusForbidden}
	case hash != signature.Hash(body):
		return session, &failure{Code: "XAmzContentSHA256Mismatch", Message: "The provided 'x-amz-content-sha256' header does not match what was computed.", status: http.StatusBadRequest}
	}
	return session, nil
}

// serve puts or gets an object.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, role account.Role, body []byte) *failure {
	path := strings.TrimPrefix(r.URL.Path, "/")
	bucket, key, _ := strings.Cut(path, "/")
	put := r.Method == http.MethodPut
	switch {
	case bucket != role.Bucket:
		return &failure{Code: "AccessDenied", Message: "Access Denied.", status: http.StatusForbidden}
	case key == "" || !put && r.Method != http.MethodGet || unknown(r):
		return &failure{Code: "NotImplemented", Message: "this stand-in for S3 puts and gets whole objects, and nothing else", status: http.StatusNotImplemented}
	case put:
		s.put(path, object{body, checksums(r.Header)})
		return nil
	}
	return s.get(w, path)
}

// unknown reports whether a request asks for more than a whole object.
func unknown(r *http.Request) bool {
	query := r.URL.Query()
	query.Del("x-id") // by which the SDK names the operation
	return len(query) > 0 || r.Header.Get("Range") != "" || r.Header.Get("X-Amz-Copy-Source") != ""
}

// put keeps an object.
func (s *Server) put(path string, o object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[path] = o
}

// get answers with an object.
func (s *Server) get(w http.ResponseWriter, path string) *failure {
	s.mu.Lock()
	o, ok := s.objects[path]
	s.mu.Unlock()
	if !ok {
		return &failure{Code: "NoSuchKey", Message: "The specified key does not exist.", status: http.StatusNotFound}
	}
	for name, values := range o.checksums {
		w.Header()[name] = values
	}
	_, _ = w.Write(o.content) // A client that is gone needs no answer.
	return nil
}

// checksums returns the checksums that a client has named.
func checksums(h http.Header) http.Header {
	kept := http.Header{}
	for name, values := range h {
		if strings.HasPrefix(name, "X-Amz-Checksum-") {
			kept[name] = values
		}
	}
	return kept
}

// write answers with an error.
func write(w http.ResponseWriter, f failure) {
	text, err := xml.Marshal(f)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(f.status)
	_, _ = w.Write(text)
}
