// Package idtoken reads the ID token by which GitLab says who a job is. Whether
// GitLab signed it is for package jwks: this one links no cryptography.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/
package idtoken

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4/json"

	"rolecall/internal/mask"
)

// maxToken bounds the size of an ID token, in bytes.
const maxToken = 16 << 10

// Token is an ID token. Its claims are what the token says, which is true only
// of a token that package jwks has verified.
type Token struct {
	Raw    mask.Secret
	Claims Claims
}

// Parse reads an ID token, without checking its signature and its times. It
// takes what GitLab signs and no more: RS256 or ES256, the compact form, no
// member of a JSON object twice, no key that the token brings itself. Errors
// never hold any of the token.
func Parse(raw string) (Token, error) {
	raw = strings.TrimSuffix(raw, "\n") // a file variable may end so
	if len(raw) > maxToken {
		return Token{}, fmt.Errorf("it has %d bytes, more than the %d of any ID token", len(raw), maxToken)
	}
	header, payload, err := split(raw)
	if err == nil {
		err = checkHeader(header)
	}
	if err != nil {
		return Token{}, err
	}
	claims, err := readClaims(payload)
	if err != nil {
		return Token{}, err
	}
	return Token{Raw: mask.NewSecret(raw), Claims: claims}, nil
}

// errForm is the refusal of what is not signed as GitLab signs.
var errForm = errors.New("it is no JSON Web Token signed with RS256 or ES256")

// split returns the header and the payload of a token of three parts.
//
// https://www.rfc-editor.org/rfc/rfc7515#section-7.1
func split(raw string) (header, payload []byte, err error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || parts[2] == "" || strings.ContainsAny(raw, "\r\n") { // the decoder passes over these two
		return nil, nil, errForm
	}
	var decoded [3][]byte
	for i, part := range parts {
		decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil || i < 2 && !utf8.Valid(decoded[i]) {
			return nil, nil, errForm
		}
	}
	return decoded[0], decoded[1], nil
}

// checkHeader refuses a header that names another algorithm, a key of its own or
// a rule for reading the token.
func checkHeader(data []byte) error {
	var header map[string]any
	if err := json.Unmarshal(data, &header); err != nil || !slices.Contains([]any{"RS256", "ES256"}, header["alg"]) {
		return errForm
	}
	for _, name := range []string{"b64", "crit", "jku", "jwk", "nonce", "x5c", "x5u"} {
		if _, ok := header[name]; ok {
			return fmt.Errorf("its header has %s, which no ID token of GitLab has", name)
		}
	}
	if _, ok := header["kid"].(string); !ok && header["kid"] != nil {
		return errForm
	}
	return nil
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
