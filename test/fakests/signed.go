package fakests

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"rolecall/test/signature"
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
	signed, ok := signature.Of(r)
	if !ok || signed.Service != "sts" {
		return "", Error(http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	id := signed.KeyID
	keys, ok := s.issued(id)
	switch skew := s.now().Sub(signed.At); {
	case !ok || r.Header.Get("X-Amz-Security-Token") != keys.SessionToken:
		return "", Error(http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid.")
	case skew.Abs() > maxSkew:
		return "", Error(http.StatusForbidden, "SignatureDoesNotMatch", "Signature expired or not yet current")
	case s.over(keys):
		return "", Error(http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired")
	case !signed.Fits(r, signature.Hash(body), aws.Credentials{AccessKeyID: id, SecretAccessKey: keys.SecretAccessKey, SessionToken: keys.SessionToken}):
		return "", Error(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match")
	case duration(r.Form) > maxChained:
		return id, Error(http.StatusBadRequest, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	return id, nil
}

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
