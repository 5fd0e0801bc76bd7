package fakests

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Credentials says what an OK answer holds. Empty fields get values as STS would
// choose: new keys, and an expiry and an assumed role that fit the request.
type Credentials struct {
	AccessKeyID     string
	SecretAccessKey string
	SessionToken    string
	// Expiration is a time such as "2006-01-02T15:04:05Z", or any other text for a
	// malformed answer.
	Expiration     string
	AssumedRoleARN string
	AssumedRoleID  string
}

// Expires returns a time in STS's format, for Credentials.
func Expires(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// assumeRoleResponse is the XML of a successful answer.
type assumeRoleResponse struct {
	XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleWithWebIdentityResponse"`
	Subject   string   `xml:"AssumeRoleWithWebIdentityResult>SubjectFromWebIdentityToken"`
	RoleARN   string   `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>Arn"`
	RoleID    string   `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>AssumedRoleId"`
	KeyID     string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	Secret    string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	Token     string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	Expires   string   `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
	RequestID string   `xml:"ResponseMetadata>RequestId"`
}

// OK answers with credentials, which Request.Issued then holds.
func OK(c Credentials) Answer {
	return func(x *Exchange) {
		issued := c.withDefaults(x)
		x.record(func(r *Request) { r.Issued = issued })
		if x.Form.Get("Action") == assumeRole {
			writeXML(x, http.StatusOK, chainedResponse(issued, x.Form))
			return
		}
		writeXML(x, http.StatusOK, response(issued))
	}
}

// Short answers as OK does, with a session of that duration whatever was requested.
func Short(d time.Duration) Answer {
	return func(x *Exchange) { OK(Credentials{Expiration: Expires(x.Now.Add(d))})(x) }
}

// TruncatedXML answers as OK does, but ends in the middle of the credentials.
func TruncatedXML() Answer {
	return func(x *Exchange) {
		body := encode(response(Credentials{}.withDefaults(x)))
		startXML(x, http.StatusOK)
		_, _ = x.Write(body[:bytes.Index(body, []byte("<SessionToken>"))+40])
	}
}

// response returns the XML of credentials.
func response(c Credentials) assumeRoleResponse {
	return assumeRoleResponse{
		Subject:   "project_path:group/project:ref_type:branch:ref:main",
		RoleARN:   c.AssumedRoleARN,
		RoleID:    c.AssumedRoleID,
		KeyID:     c.AccessKeyID,
		Secret:    c.SecretAccessKey,
		Token:     c.SessionToken,
		Expires:   c.Expiration,
		RequestID: requestID,
	}
}

// withDefaults returns the credentials with empty fields filled in, for a request.
func (c Credentials) withDefaults(x *Exchange) Credentials {
	form := x.Form
	session := form.Get("RoleSessionName")
	fill := func(field *string, value func() string) {
		if *field == "" {
			*field = value()
		}
	}
	fill(&c.AccessKeyID, func() string { return "ASIA" + rand.Text()[:16] })
	fill(&c.SecretAccessKey, func() string { return "+" + random(28) + "/" })
	fill(&c.SessionToken, func() string { return "IQoJ" + random(400) + "==" })
	fill(&c.Expiration, func() string { return Expires(x.Now.Add(duration(form))) })
	fill(&c.AssumedRoleARN, func() string { return assumedRole(form.Get("RoleArn"), session) })
	fill(&c.AssumedRoleID, func() string { return "AROA" + rand.Text()[:16] + ":" + session })
	return c
}

// random returns n random bytes, in base64 without padding.
func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.RawStdEncoding.EncodeToString(b)
}

// duration returns the requested duration, an hour by default.
func duration(form url.Values) time.Duration {
	seconds, err := strconv.Atoi(form.Get("DurationSeconds"))
	if err != nil {
		seconds = 3600
	}
	return time.Duration(seconds) * time.Second
}

// assumedRole returns the ARN of a session of a role. The role's ARN may have a path.
func assumedRole(role, session string) string {
	account, name, _ := strings.Cut(role, ":role/")
	name = name[strings.LastIndexByte(name, '/')+1:]
	return strings.Replace(account, ":iam:", ":sts:", 1) + ":assumed-role/" + name + "/" + session
}
