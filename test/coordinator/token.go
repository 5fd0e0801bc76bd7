package coordinator

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"time"
)

// Claims returns the claims of GitLab's ID token for the job, as of now and without
// MutateClaims. It leaves out claims that GitLab sets only behind feature flags or for
// other integrations, such as groups_direct, user_identities and target_audience.
func (r *Run) Claims(audience string) map[string]any {
	now := time.Now()
	project := r.job.Project
	claims := map[string]any{
		"iss": r.server.Issuer(),
		"sub": fmt.Sprintf("project_path:%s:ref_type:%s:ref:%s", project.Path, r.job.RefType, r.job.Ref),
		"aud": audience,
		"iat": now.Unix(),
		"nbf": now.Unix() - 5,
		"exp": now.Unix() + int64(r.job.Timeout/time.Second),
		"jti": newUUID(),

		"user_id":           strconv.Itoa(userID),
		"user_login":        userLogin,
		"user_email":        userEmail,
		"user_access_level": "developer",

		"pipeline_id":     strconv.FormatInt(r.job.PipelineID, 10),
		"pipeline_source": "push",
		"job_id":          strconv.FormatInt(r.id, 10),
		"ref":             r.job.Ref,
		"ref_type":        r.job.RefType,
		"ref_path":        refPath(r.job),
		"ref_protected":   strconv.FormatBool(r.job.Protected),

		"runner_id":          r.server.RunnerID(r.runnerToken),
		"runner_environment": "self-hosted",
		"sha":                r.job.SHA,
		"project_visibility": "private",
		"ci_config_ref_uri":  r.configRefURI(),
		"ci_config_sha":      r.job.SHA,
	}
	addProjectClaims(claims, "", project)
	addProjectClaims(claims, "job_", project)
	addEnvironmentClaims(claims, r.job)
	return claims
}

// SignIDToken returns a token as the job has it in a variable of its IDTokens, also if no runner
// ever takes the job.
func (r *Run) SignIDToken(variable string) (string, error) {
	aud, ok := r.job.IDTokens[variable]
	if !ok {
		return "", fmt.Errorf("job %d has no ID token %s", r.id, variable)
	}
	return r.idToken(aud), nil
}

// idToken signs an ID token of the job.
func (r *Run) idToken(audience string) string {
	claims := r.Claims(audience)
	if r.job.MutateClaims != nil {
		r.job.MutateClaims(claims)
	}
	return cmp.Or(r.job.SignedBy, r.server).SignToken(claims)
}

// addProjectClaims adds the claims about a project. Their names begin with prefix.
func addProjectClaims(claims map[string]any, prefix string, project Project) {
	namespace := path.Dir(project.Path)
	claims[prefix+"namespace_id"] = strconv.FormatInt(namespaceID(namespace), 10)
	claims[prefix+"namespace_path"] = namespace
	claims[prefix+"project_id"] = strconv.FormatInt(project.ID, 10)
	claims[prefix+"project_path"] = project.Path
}

// addEnvironmentClaims adds the claims about the job's environment, if it has one.
func addEnvironmentClaims(claims map[string]any, job Job) {
	if job.Environment == "" {
		return
	}
	claims["environment"] = job.Environment
	claims["environment_protected"] = "false"
	claims["deployment_tier"] = "other"
	claims["environment_action"] = "start"
}

// configRefURI returns the claim ci_config_ref_uri.
func (r *Run) configRefURI() string {
	host := r.server.url[len("http://"):]
	return fmt.Sprintf("%s/%s//.gitlab-ci.yml@%s", host, r.job.Project.Path, refPath(r.job))
}

// refPath returns the full name of the job's ref, such as refs/heads/main.
func refPath(job Job) string {
	if job.RefType == "tag" {
		return "refs/tags/" + job.Ref
	}
	return "refs/heads/" + job.Ref
}

// newUUID returns a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// serveDiscovery answers with the OpenID configuration.
func (s *Server) serveDiscovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                s.Issuer(),
		"authorization_endpoint":                s.url + "/oauth/authorize",
		"token_endpoint":                        s.url + "/oauth/token",
		"userinfo_endpoint":                     s.url + "/oauth/userinfo",
		"jwks_uri":                              s.url + "/oauth/discovery/keys",
		"response_types_supported":              []string{"code"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
	})
}
