package idtoken

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	// It refuses a member that an object has twice and knows Job_ID from job_id,
	// neither of which encoding/json does.
	"github.com/go-jose/go-jose/v4/json"
)

// Claims are the claims of an ID token that the driver reads. Ids are texts, as
// GitLab writes them, and times are seconds since 1970; what the token does not
// say is empty.
type Claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  Audience `json:"aud"`
	Expiry    int64    `json:"exp"`
	NotBefore int64    `json:"nbf"`
	IssuedAt  int64    `json:"iat"`
	ID        string   `json:"jti"`

	JobID          flexible `json:"job_id"`
	ProjectID      flexible `json:"project_id"`     // of a fork's merge request: the fork
	JobProjectID   flexible `json:"job_project_id"` // the project that runs the job
	ProjectPath    string   `json:"project_path"`
	JobProjectPath string   `json:"job_project_path"`
	Ref            string   `json:"ref"`
	RefType        string   `json:"ref_type"`
	RefProtected   string   `json:"ref_protected"` // "true" or "false"; GitLab writes a text
	Environment    string   `json:"environment"`
	UserLogin      string   `json:"user_login"`
	UserID         flexible `json:"user_id"`
	PipelineID     flexible `json:"pipeline_id"`
	RunnerID       flexible `json:"runner_id"`
}

// Audience is whom a token is for: one or several, as the job asked for.
type Audience []string

// UnmarshalJSON reads a text or an array of texts.
func (a *Audience) UnmarshalJSON(data []byte) error {
	var value any
	if err := json.Unmarshal(data, &value); err != nil {
		return err
	}
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	*a = make(Audience, len(list))
	for i := range list {
		if (*a)[i], ok = list[i].(string); !ok {
			return errors.New("an audience is no text")
		}
	}
	return nil
}

// flexible is an id that may be written as a text or as a number.
type flexible string

// UnmarshalJSON reads a text or a number.
func (f *flexible) UnmarshalJSON(data []byte) error {
	var number stdjson.Number
	if err := stdjson.Unmarshal(data, &number); err != nil {
		return errors.New("an id is neither text nor number")
	}
	*f = flexible(number)
	return nil
}

// readClaims reads the payload of a token, which must be one JSON object without
// a member twice at any depth. Its error names the claim that is not as GitLab
// writes it.
func readClaims(payload []byte) (Claims, error) {
	errClaims := errors.New("its claims are not those of a GitLab ID token")
	everything := json.NewDecoder(bytes.NewReader(payload))
	everything.SetNumberType(json.UnmarshalJSONNumber) // a number that is too large for its claim is that claim's error
	var tree map[string]any
	if err := everything.Decode(&tree); err != nil || tree == nil {
		return Claims{}, errClaims
	}
	var claims Claims
	err := json.Unmarshal(payload, &claims)
	if err == nil {
		return claims, nil
	}
	for _, name := range slices.Sorted(maps.Keys(tree)) {
		one, err := json.Marshal(map[string]any{name: tree[name]})
		if err == nil && json.Unmarshal(one, new(Claims)) != nil {
			return Claims{}, fmt.Errorf("%w: %s is of another form", errClaims, name)
		}
	}
	return Claims{}, errClaims
}
