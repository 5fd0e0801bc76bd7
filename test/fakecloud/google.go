package fakecloud

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// google is Google's Security Token Service.
//
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
func (s *Server) google(w http.ResponseWriter, r *http.Request) {
	fail := func(word, text string) {
		write(w, http.StatusBadRequest, map[string]string{"error": word, "error_description": text})
	}
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "urn:ietf:params:oauth:grant-type:token-exchange" ||
		r.PostForm.Get("requested_token_type") != "urn:ietf:params:oauth:token-type:access_token" ||
		r.PostForm.Get("subject_token_type") != "urn:ietf:params:oauth:token-type:jwt" || r.PostForm.Get("scope") == "" {
		fail("invalid_request", "a field is missing")
		return
	}
	if r.PostForm.Get("audience") != "//iam.googleapis.com/"+s.rules.Pool {
		fail("invalid_target", `The target service indicated by the "audience" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn't exist.`)
		return
	}
	raw := r.PostForm.Get("subject_token")
	c, err := s.verify(r.Context(), raw)
	switch {
	case err != nil:
		fail("invalid_grant", err.Error()+": "+raw)
	case !slices.Contains(c.Audience, s.rules.Audience):
		fail("invalid_grant", "The audience in ID Token ["+strings.Join(c.Audience, " ")+"] does not match the expected audience.")
	case s.rules.Subject != "" && c.Subject != s.rules.Subject:
		fail("unauthorized_client", "The given credential is rejected by the attribute condition.")
	default:
		write(w, http.StatusOK, map[string]any{
			"access_token": s.give("subject/" + c.Subject), "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
			"token_type": "Bearer", "expires_in": int(time.Until(c.Expiry.Time()).Seconds()),
		})
	}
}

// introspect says whose an access token is, as gcloud asks.
func (s *Server) introspect(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	who := s.owner(r.PostForm.Get("token"))
	write(w, http.StatusOK, map[string]any{"active": who != "", "username": "principal://iam.googleapis.com/" + who})
}

// impersonate is Google's service that gives tokens of service accounts.
//
// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
func (s *Server) impersonate(w http.ResponseWriter, r *http.Request) {
	fail := func(code int, status string) {
		write(w, code, map[string]any{"error": map[string]any{"code": code, "status": status, "message": "for " + bearer(r)}})
	}
	account, ok := strings.CutSuffix(r.PathValue("account"), ":generateAccessToken")
	var ask struct {
		Scope    []string
		Lifetime string
	}
	err := json.NewDecoder(r.Body).Decode(&ask)
	life, ofLife := time.ParseDuration(ask.Lifetime)
	switch {
	case !ok || err != nil || len(ask.Scope) == 0 || ask.Lifetime != "" && (ofLife != nil || life > time.Hour):
		fail(http.StatusBadRequest, "INVALID_ARGUMENT")
	case !strings.HasPrefix(s.owner(bearer(r)), "subject/"):
		fail(http.StatusUnauthorized, "UNAUTHENTICATED")
	case !slices.Contains(s.rules.Accounts, account):
		fail(http.StatusNotFound, "NOT_FOUND")
	case !slices.Contains(s.rules.Becomes, account):
		fail(http.StatusForbidden, "PERMISSION_DENIED")
	default:
		write(w, http.StatusOK, map[string]string{"accessToken": s.give(account), "expireTime": time.Now().Add(max(life, time.Minute)).UTC().Format(time.RFC3339)})
	}
}
