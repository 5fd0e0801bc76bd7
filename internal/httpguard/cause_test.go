package httpguard_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"rolecall/internal/httpguard"
	"rolecall/test/kit"
)

// TestCause: of errors of real requests, the reason is told in fixed words.
func TestCause(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewTLSServer(nil)
	t.Cleanup(secure.Close)
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	odd := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = connection.Write([]byte("SECRET\r\n\r\n"))
			_ = connection.Close()
		}
	})
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, test := range map[string]struct {
		context   context.Context
		url, want string
	}{ // a name with an empty part is looked up nowhere
		"refused":      {t.Context(), closed.URL, "connection refused"},
		"certificate":  {t.Context(), secure.URL, "its certificate is not trusted: x509: certificate signed by unknown authority"},
		"name":         {t.Context(), "https://gitlab..example", "its name is not found"},
		"canceled":     {canceled, silent.URL, "canceled"},
		"silence":      {t.Context(), silent.URL, "no answer in time"},
		"not its text": {t.Context(), odd.URL, ""},
	} {
		request, err := http.NewRequestWithContext(test.context, http.MethodGet, test.url, nil)
		kit.Must(t, err)
		response, err := newGuard(2 * time.Second).Client().Do(request)
		if err == nil {
			_ = response.Body.Close()
		}
		if got := httpguard.Cause(err); err == nil || got != test.want {
			t.Errorf("%s: %q of %v, want %q", name, got, err, test.want)
		}
	}
	if got := httpguard.Cause(errors.New("SECRET")); got != "" {
		t.Errorf("of an unknown error: %q", got)
	}
}
