package fakests

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// assumeRole is the action whose requests are signed.
const assumeRole = "AssumeRole"

// Bounds of STS.
const (
	maxSkew    = 5 * time.Minute // between the time of a request and STS's clock
	maxChained = time.Hour       // of a session that was requested with another session
)

// chained is the XML of a successful answer to AssumeRole.
type chained struct {
	XMLName        xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
	SourceIdentity string   `xml:"AssumeRoleResult>SourceIdentity,omitempty"`
	RoleARN        string   `xml:"AssumeRoleResult>AssumedRoleUser>Arn"`
	RoleID         string   `xml:"AssumeRoleResult>AssumedRoleUser>AssumedRoleId"`
	KeyID          string   `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
	Secret         string   `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
	Token          string   `xml:"AssumeRoleResult>Credentials>SessionToken"`
	Expires        string   `xml:"AssumeRoleResult>Credentials>Expiration"`
	RequestID      string   `xml:"ResponseMetadata>RequestId"`
}

// chainedResponse returns the XML of credentials.
func chainedResponse(c Credentials, form url.Values) chained {
	return chained{
		SourceIdentity: form.Get("SourceIdentity"),
		RoleARN:        c.AssumedRoleARN,
		RoleID:         c.AssumedRoleID,
		KeyID:          c.AccessKeyID,
		Secret:         c.SecretAccessKey,
		Token:          c.SessionToken,
		Expires:        c.Expiration,
		RequestID:      requestID,
	}
}

// signer returns the access key id that has signed an AssumeRole, or the refusal of STS. Of
// another request it returns neither.
func (s *Server) signer(r *http.Request, body []byte) (string, Answer) {
	if r.Form.Get("Action") != assumeRole {
		return "", nil
	}
	signed := credential.FindStringSubmatch(r.Header.Get("Authorization"))
	if signed == nil {
		return "", Error(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	id := signed[1]
	keys, ok := s.issued(id)
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	switch skew := s.now().Sub(at); {
	case !ok || r.Header.Get("X-Amz-Security-Token") != keys.SessionToken:
		return "", Error(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	case err != nil || skew.Abs() > maxSkew:
		return "", Error(http.StatusForbidden, "SignatureDoesNotMatch", "Signature expired or not yet current")
	case s.over(keys):
		return "", Error(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	case sign(r, body, signed, keys, at) != r.Header.Get("Authorization"):
		return "", Error(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match")
	case duration(r.Form) > maxChained:
		return id, Error(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return id, nil
}

// credential matches the header Authorization of a signed request.
var credential = regexp.MustCompile(`^AWS4-HMAC-SHA256 Credential=([A-Z0-9]+)/\d{8}/([a-z0-9-]+)/sts/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$`)

// issued returns the session with that access key id.
func (s *Server) issued(id string) (Credentials, bool) {
	for _, r := range s.Requests() {
		if r.Issued.AccessKeyID == id {
			return r.Issued, true
		}
	}
	return Credentials{}, false
}

// over reports whether a session has expired by the server's clock.
func (s *Server) over(c Credentials) bool {
	at, err := time.Parse("2006-01-02T15:04:05Z", c.Expiration)
	return err == nil && s.now().After(at)
}

// sign returns the header Authorization that the SDK's own signer gives to the request, with
// the region and the headers of a signature.
func sign(r *http.Request, body []byte, signature []string, c Credentials, at time.Time) string {
	region, names := signature[2], strings.Split(signature[3], ";")
	again, err := http.NewRequestWithContext(context.Background(), r.Method, "http://"+r.Host+r.URL.RequestURI(), strings.NewReader(string(body)))
	if err != nil {
		return ""
	}
	for _, name := range names {
		if values := r.Header.Values(name); len(values) > 0 {
			again.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	hash := sha256.Sum256(body)
	keys := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if err := v4.NewSigner().SignHTTP(context.Background(), keys, again, hex.EncodeToString(hash[:]), "sts", region, at); err != nil {
		return ""
	}
	return again.Header.Get("Authorization")
}
