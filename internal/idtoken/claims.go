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

// Claims are the claims of an ID token that the driver reads. Times are seconds since
// 1970. A claim that the token does not have is empty.
//
// https://docs.gitlab.com/ci/secrets/id_token_authentication/#token-payload
type Claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  Audience `json:"aud"`
	Expiry    int64    `json:"exp"`
	NotBefore int64    `json:"nbf"`
	IssuedAt  int64    `json:"iat"`
	ID        string   `json:"jti"`

	JobID          ID     `json:"job_id"`
	ProjectID      ID     `json:"project_id"`     // for a merge request from a fork: the fork
	JobProjectID   ID     `json:"job_project_id"` // the project that runs the job
	ProjectPath    string `json:"project_path"`
	JobProjectPath string `json:"job_project_path"`
	Ref            string `json:"ref"`
	RefType        string `json:"ref_type"`
	RefProtected   string `json:"ref_protected"` // "true" or "false", as a text
	Environment    string `json:"environment"`
	UserLogin      string `json:"user_login"`
	UserID         ID     `json:"user_id"`
	PipelineID     ID     `json:"pipeline_id"`
	RunnerID       ID     `json:"runner_id"`

	NamespaceID          ID     `json:"namespace_id"`
	NamespacePath        string `json:"namespace_path"`
	PipelineSource       string `json:"pipeline_source"`
	EnvironmentProtected string `json:"environment_protected"` // "true" or "false", as a text
	DeploymentTier       string `json:"deployment_tier"`
}

// ClaimNames returns the names that Get knows, sorted.
func ClaimNames() []string { return slices.Sorted(maps.Keys(Claims{}.byName())) }

// Get returns the claim of that name, which is empty if the token does not have it. If ok is
// false, no claim about a job has that name.
func (c Claims) Get(name string) (value string, ok bool) {
	value, ok = c.byName()[name]
	return value, ok
}

// byName returns the claims about a job that have one text as their value.
func (c Claims) byName() map[string]string {
	return map[string]string{
		"namespace_id": string(c.NamespaceID), "namespace_path": c.NamespacePath,
		"project_id": string(c.ProjectID), "project_path": c.ProjectPath,
		"job_project_id": string(c.JobProjectID), "job_project_path": c.JobProjectPath,
		"user_id": string(c.UserID), "user_login": c.UserLogin,
		"pipeline_id": string(c.PipelineID), "pipeline_source": c.PipelineSource,
		"job_id": string(c.JobID), "runner_id": string(c.RunnerID),
		"ref": c.Ref, "ref_type": c.RefType, "ref_protected": c.RefProtected,
		"environment": c.Environment, "environment_protected": c.EnvironmentProtected, "deployment_tier": c.DeploymentTier,
	}
}

// Audience names the receivers of a token, one or several, as the job's id_tokens says.
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
			return errors.New("an audience is not a text")
		}
	}
	return nil
}

// ID is an id in decimal. In JSON it may be a text or a number.
type ID string

// UnmarshalJSON reads a text or a number.
func (f *ID) UnmarshalJSON(data []byte) error {
	var number stdjson.Number
	if err := stdjson.Unmarshal(data, &number); err != nil {
		return errors.New("an id is neither a text nor a number")
	}
	*f = ID(number)
	return nil
}

// readClaims reads the payload of a token. The payload must be one JSON object without
// duplicate members, at any depth. The error names the claim that has the wrong form.
func readClaims(payload []byte) (Claims, error) {
	errClaims := errors.New("its claims are not those of a GitLab ID token")
	everything := json.NewDecoder(bytes.NewReader(payload))
	everything.SetNumberType(json.UnmarshalJSONNumber) // a number that is too large must not fail here: the error below names its claim
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
			return Claims{}, fmt.Errorf("%w: %s has the wrong form", errClaims, name)
		}
	}
	return Claims{}, errClaims
}
