// Package signature judges signatures of version 4 as AWS does: it lets the signer of AWS's SDK
// sign the same request again.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
package signature

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Signature is what a request says of its signature. It need not be true.
type Signature struct {
	KeyID   string    // who has signed
	Service string    // for which service, such as sts
	At      time.Time // when; the zero time if the request has none

	region  string
	headers []string // that are signed
	written string   // the header Authorization
}

// Of returns the signature in the header of a request, and false if it has none.
func Of(r *http.Request) (Signature, bool) {
	written := r.Header.Get("Authorization")
	form := regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Za-z0-9]+)/\d{8}/([a-z0-9-]+)/([a-z0-9]+)/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=[0-9a-f]{64}$`)
	found := form.FindStringSubmatch(written)
	if found == nil {
		return Signature{}, false
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil {
		at = time.Time{}
	}
	return Signature{KeyID: found[1], region: found[2], Service: found[3], headers: strings.Split(found[4], ";"), At: at, written: written}, true
}

// Covers reports whether each header of AWS that the request has is signed.
func (s Signature) Covers(r *http.Request) bool {
	for name := range r.Header {
		name = strings.ToLower(name)
		if strings.HasPrefix(name, "x-amz-") && !slices.Contains(s.headers, name) {
			return false
		}
	}
	return true
}

// Fits reports whether these keys have signed the request, with the hash of a body.
func (s Signature) Fits(r *http.Request, hash string, keys aws.Credentials) bool {
	again, err := http.NewRequestWithContext(context.Background(), r.Method, "http://"+r.Host+r.URL.RequestURI(), nil)
	if err != nil {
		return false
	}
	for _, name := range s.headers {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	if slices.Contains(s.headers, "content-length") {
		again.ContentLength = r.ContentLength
	}
	// S3 alone signs paths as they are written.
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = s.Service == "s3" })
	if err := signer.SignHTTP(context.Background(), keys, again, hash, s.Service, s.region, s.At); err != nil {
		return false
	}
	spaceless := func(text string) []byte { return []byte(strings.ReplaceAll(text, " ", "")) }
	return subtle.ConstantTimeCompare(spaceless(again.Header.Get("Authorization")), spaceless(s.written)) == 1
}

// Hash returns the hash of a body, as it is signed.
func Hash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}
