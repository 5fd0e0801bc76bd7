// Package identity reads the ID token by which GitLab says who a job is.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"rolecall/internal/mask"
)

// maxToken bounds the size of an ID token, in bytes.
const maxToken = 16 << 10

// Token is an ID token. Its claims are what the token says; whether GitLab
// signed it is for STS to check.
type Token struct {
	Raw    mask.Secret
	Claims Claims
}

// Claims are the claims of an ID token that the driver reads. Ids are texts, as
// GitLab writes them.
type Claims struct {
	Issuer       string       `json:"iss"`
	Subject      string       `json:"sub"`
	Audience     jwt.Audience `json:"aud"`
	JobID        flexible     `json:"job_id"`
	ProjectID    flexible     `json:"project_id"`     // of a fork's merge request: the fork
	JobProjectID flexible     `json:"job_project_id"` // the project that runs the job
}

// flexible is an id that may be written as a text or as a number.
type flexible string

// UnmarshalJSON reads a text or a number.
func (f *flexible) UnmarshalJSON(data []byte) error {
	var number json.Number
	if err := json.Unmarshal(data, &number); err != nil {
		return errors.New("an id is neither text nor number")
	}
	*f = flexible(number)
	return nil
}

// Parse reads an ID token, without checking its signature. Errors never hold
// any of the token.
func Parse(raw string) (Token, error) {
	raw = strings.TrimSuffix(raw, "\n") // a file variable may end so
	if len(raw) > maxToken {
		return Token{}, fmt.Errorf("it has %d bytes, more than the %d of any ID token", len(raw), maxToken)
	}
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil || strings.ContainsAny(raw, " \t\r\n") { // the parser passes over white space, STS need not
		return Token{}, errors.New("it is no JSON Web Token signed with RS256 or ES256")
	}
	token := Token{Raw: mask.NewSecret(raw)}
	if err := parsed.UnsafeClaimsWithoutVerification(&token.Claims); err != nil {
		return Token{}, errors.New("its claims are not those of a GitLab ID token")
	}
	return token, nil
}

// CheckJob reports an error unless the token was issued for this very job: a
// token of another job that reached this one would still please STS. A server
// that sends no job_project_id is judged by project_id.
func (t Token) CheckJob(job, project int64) error {
	if err := check("job_id", t.Claims.JobID, job); err != nil {
		return err
	}
	if t.Claims.JobProjectID != "" {
		return check("job_project_id", t.Claims.JobProjectID, project)
	}
	return check("project_id", t.Claims.ProjectID, project)
}

// check compares the claim of a token with the id that GitLab sent.
func check(claim string, got flexible, want int64) error {
	if string(got) == strconv.FormatInt(want, 10) {
		return nil
	}
	if got == "" {
		return fmt.Errorf("it has no claim %s", claim)
	}
	return fmt.Errorf("its claim %s is %.40q, this job's is %d", claim, string(got), want)
}
