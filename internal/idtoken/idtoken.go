// Package idtoken reads the ID token, in which GitLab says which job this is. Package
// jwks checks the signature of a token: this package links no cryptography.
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

// Token is an ID token. Its claims can be trusted only if package jwks has verified the
// token.
type Token struct {
	Raw    mask.Secret
	Claims Claims
}

// ByName are ID tokens of one job by the names of their variables.
type ByName map[string]Token

// Parse reads an ID token. It does not check its signature and its times. It accepts
// only the form in which GitLab signs: RS256 or ES256, compact, no duplicate members of
// a JSON object, and no key in the token itself. Errors never hold a part of the token.
func Parse(raw string) (Token, error) {
	raw = strings.TrimSuffix(raw, "\n") // the value of a file variable may end with a newline
	if len(raw) > maxToken {
		return Token{}, fmt.Errorf("it has %d bytes; an ID token has at most %d", len(raw), maxToken)
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

// errForm is the refusal of a text that is not a token in GitLab's form.
var errForm = errors.New("it is not a JSON Web Token signed with RS256 or ES256")

// split returns the header and the payload of a token of three parts.
//
// https://www.rfc-editor.org/rfc/rfc7515#section-7.1
func split(raw string) (header, payload []byte, err error) {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || parts[2] == "" || strings.ContainsAny(raw, "\r\n") { // the decoder would skip these two
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

// checkHeader fails if the header names another algorithm than those of GitLab, or has
// names that checkNames refuses, or a kid that is not a text.
//
// https://www.rfc-editor.org/rfc/rfc7515#section-4.1
func checkHeader(data []byte) error {
	var header map[string]any
	if err := json.Unmarshal(data, &header); err != nil || !slices.Contains([]any{"RS256", "ES256"}, header["alg"]) {
		return errForm
	}
	if err := checkNames(header); err != nil {
		return err
	}
	if _, ok := header["kid"].(string); !ok && header["kid"] != nil {
		return errForm
	}
	return nil
}

// checkNames fails if the header holds or names a key beside kid, or changes how the token
// must be read.
func checkNames(header map[string]any) error {
	for _, name := range []string{"b64", "crit", "jku", "jwk", "nonce", "x5c", "x5u"} {
		if _, ok := header[name]; ok {
			return fmt.Errorf("its header has %s; GitLab's ID tokens do not", name)
		}
	}
	return nil
}

// CheckJob fails unless the token was issued for this job, by the ids of the job and of
// the project that runs it. STS cannot check this: it would accept the token of another
// job. If the token has no job_project_id, CheckJob compares project_id.
func (t Token) CheckJob(job, project int64) error {
	if err := check("job_id", t.Claims.JobID, job); err != nil {
		return err
	}
	if t.Claims.JobProjectID != "" {
		return check("job_project_id", t.Claims.JobProjectID, project)
	}
	return check("project_id", t.Claims.ProjectID, project)
}

// check compares the claim got of a token with want, the id in the job response.
func check(claim string, got ID, want int64) error {
	if string(got) == strconv.FormatInt(want, 10) {
		return nil
	}
	if got == "" {
		return fmt.Errorf("it has no claim %s", claim)
	}
	return fmt.Errorf("its claim %s is %.40q, but this job's is %d", claim, string(got), want)
}
