package helper_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/creds/external"
	"rolecall/internal/creds/external/helper"
	"rolecall/test/document"
	"rolecall/test/kit"
)

// TestPage: the helper of docs/sources.md gives what its server gives, and lets it revoke that.
func TestPage(t *testing.T) {
	kit.NeedProgram(t, "jq", "jq")
	kit.NeedProgram(t, "curl", "curl")
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		asked = append(asked, r.URL.Path+" "+r.Header.Get("X-Key")+" "+strings.TrimSpace(string(body)))
		if err == nil && r.URL.Path == "/lease" {
			_, _ = io.WriteString(w, `{"user":"alpha","password":"hunter2hunter2","expires":"2091-02-03T04:05:06Z","id":"lease-1"}`)
		}
	}))
	defer server.Close()
	header := filepath.Join(t.TempDir(), "header")
	kit.Must(t, os.WriteFile(header, []byte("X-Key: of-the-host\n"), 0o600))
	document.Run(t, "docs/sources.md", `The contract "rolecall"`, func(s document.Step) {
		h := newHelped(t, external.Rolecall, strings.NewReplacer("https://db.example.com", server.URL, "/etc/db/header", header).Replace(s.Content))
		h.terms.Sets = []string{"PGUSER", "PGPASSWORD"}
		c, err := h.issue(t)
		kit.Must(t, err)
		if got := shown(c); !strings.Contains(got, "PGUSER=alpha\n") || !strings.Contains(got, "secret value of PGPASSWORD: hunter2hunter2\n") || strings.Contains(got, "secret value of PGUSER") {
			t.Errorf("it gives\n%s", got)
		}
		kit.Must(t, helper.Provider{}.Revoke(t.Context(), []byte(h.held[0].Terms.Reveal())))
	})
	if got := strings.Join(asked, "\n"); got != "/lease of-the-host "+token+"\n/revoke of-the-host lease-1" {
		t.Errorf("the server was asked\n%s", got)
	}
}
