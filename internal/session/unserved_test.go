package session_test

import (
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/session"
)

// TestUnservedWithoutLog: a job that no tenant serves goes on without credentials, even if
// the audit log cannot say so. That is a warning.
func TestUnservedWithoutLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "none", "audit")
	c, loud := newCase(t, path, aws()), voice(t)
	c.Request["TENANT"] = ""
	var warned []string
	loud.Warn = func(err error) { warned = append(warned, err.Error()) }
	s, err := session.Open(c, loud)
	if err != nil || s.Grant.Tenant != "" || s.Orders != nil || len(warned) != 1 || !strings.HasPrefix(warned[0], "audit log "+path) {
		t.Errorf("%+v, %v, warnings %q", s, err, warned)
	}
}
