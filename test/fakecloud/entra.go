package fakecloud

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"rolecall/test/issuer"
)

// correlation is the id of each request of Entra ID.
const correlation = "01234567-89ab-cdef-0123-456789abcdef"

// discover answers with the OpenID configuration of a tenant.
func (s *Server) discover(w http.ResponseWriter, r *http.Request) {
	base := s.TLSURL + "/" + r.PathValue("tenant")
	write(w, http.StatusOK, map[string]string{
		"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token",
		"authorization_endpoint": base + "/oauth2/v2.0/authorize", "jwks_uri": base + "/discovery/v2.0/keys",
	})
}

// entra is the token endpoint of Entra ID.
//
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
func (s *Server) entra(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	number, word := s.judge(r)
	if number > 0 {
		write(w, http.StatusUnauthorized, map[string]any{
			"error": word, "error_description": fmt.Sprintf("AADSTS%d: of %s", number, r.PostForm.Get("client_assertion")),
			"error_codes": []int{number}, "correlation_id": correlation, "trace_id": correlation,
		})
		return
	}
	write(w, http.StatusOK, map[string]any{"access_token": s.give("application " + r.PostForm.Get("client_id")), "token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599})
}

// judge returns the error code for a request, and zero for a good one.
//
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func (s *Server) judge(r *http.Request) (number int, word string) {
	form := r.PostForm
	c, err := s.verify(r.Context(), form.Get("client_assertion"))
	switch {
	case r.PathValue("tenant") != s.rules.Tenant:
		return 90002, "invalid_request"
	case form.Get("client_id") != s.rules.Client:
		return 700016, "unauthorized_client"
	case form.Get("grant_type") != "client_credentials" || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer":
		return 900144, "invalid_request"
	case !slices.Contains(strings.Fields(form.Get("scope")), "https://management.azure.com/.default"):
		return 70011, "invalid_scope"
	case because(err, issuer.Foreign):
		return 700211, "invalid_request"
	case because(err, issuer.Expired):
		return 700024, "invalid_client"
	case err != nil:
		return 700027, "invalid_client"
	case !slices.Contains(c.Audience, s.rules.Audience):
		return 700212, "invalid_request"
	case s.rules.Subject != "" && c.Subject != s.rules.Subject:
		return 700213, "invalid_request"
	}
	return 0, ""
}
