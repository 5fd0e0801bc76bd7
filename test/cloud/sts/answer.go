package sts

import (
	"crypto/rand"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"rolecall/test/issuer"
)

// namespace is that of the XML of STS.
const namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// success is the XML of credentials.
type success struct {
	XMLName   xml.Name
	Subject   string `xml:"AssumeRoleWithWebIdentityResult>SubjectFromWebIdentityToken"`
	Audience  string `xml:"AssumeRoleWithWebIdentityResult>Audience"`
	Provider  string `xml:"AssumeRoleWithWebIdentityResult>Provider"`
	RoleARN   string `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>Arn"`
	RoleID    string `xml:"AssumeRoleWithWebIdentityResult>AssumedRoleUser>AssumedRoleId"`
	KeyID     string `xml:"AssumeRoleWithWebIdentityResult>Credentials>AccessKeyId"`
	Secret    string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SecretAccessKey"`
	Token     string `xml:"AssumeRoleWithWebIdentityResult>Credentials>SessionToken"`
	Expires   string `xml:"AssumeRoleWithWebIdentityResult>Credentials>Expiration"`
	RequestID string `xml:"ResponseMetadata>RequestId"`
}

// failure is an error: whose it is, its code and a text.
type failure [3]string

// errorResponse is the XML of an error.
type errorResponse struct {
	XMLName   xml.Name
	Type      string `xml:"Error>Type"`
	Code      string `xml:"Error>Code"`
	Message   string `xml:"Error>Message"`
	RequestID string `xml:"RequestId"`
}

// body returns the XML of the error.
func (f failure) body() errorResponse {
	return errorResponse{xml.Name{Space: namespace, Local: "ErrorResponse"}, f[0], f[1], f[2], newID()}
}

// refusal is an error of who asks.
type refusal struct {
	status     int
	code, text string
}

// Error returns code and text.
func (r refusal) Error() string { return r.code + ": " + r.text }

// invalid returns the error of a value that no role allows.
func invalid(text string) error {
	return refusal{http.StatusBadRequest, "ValidationError", text}
}

// refuse returns the error of STS for a token that was refused.
func refuse(c jwt.Claims, err error, now time.Time) error {
	var why issuer.Refusal
	if !errors.As(err, &why) {
		return err
	}
	status, code, text := http.StatusBadRequest, "InvalidIdentityToken", "The web identity token that was passed could not be validated by AWS. Get a new identity token from the identity provider and then retry the request."
	switch why.Reason {
	case issuer.Malformed:
		text = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
	case issuer.Foreign:
		text = "No OpenIDConnect provider found in your account for " + c.Issuer
	case issuer.Silent:
		code, text = "IDPCommunicationError", "The request could not be fulfilled because the identity provider (IDP) that was asked to verify the incoming identity token could not be reached."
	case issuer.NoKey:
		text = "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity documentation for requirements"
	case issuer.Expired:
		code, text = "ExpiredTokenException", fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), c.Expiry.Time().Unix())
	case issuer.Forged, issuer.Early:
	}
	return refusal{status, code, text}
}

// newID returns the id of a request.
func newID() string { return strings.ToLower(rand.Text()) }

// write answers with XML.
func write(w http.ResponseWriter, status int, body any) {
	text, err := xml.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = w.Write(text) // A client that is gone needs no answer.
}
