package helper_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/external"
	"rolecall/internal/creds/external/helper"
	"rolecall/internal/fault"
	"rolecall/internal/idtoken"
	"rolecall/internal/mask"
	"rolecall/test/kit"
)

// token is the ID token of the job.
const token = "header.payload-of-the-job.signature"

// helped is a source whose helper is a shell script.
type helped struct {
	dir   string
	terms external.Terms

	held    []creds.Handle
	noHold  bool // nobody keeps how a credential is revoked
	failing error
	service []string
}

// newHelped returns a source of a format. What the script writes to files is in the folder dir, which
// it finds in $1.
func newHelped(t *testing.T, format external.Format, script string) *helped {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "helper")
	kit.Must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755))
	return &helped{dir: dir, terms: external.Terms{
		Command: []string{path, dir}, Format: format, Timeout: 10 * time.Second, Tenant: "alpha", Source: "db",
		Sets: []string{"PASSWORD", "USER_NAME", "KEY_FILE", "OTHER_FILE"}, Job: external.Job{ID: "7", Project: "acme/deploy", Ref: "main", Protected: true, Pipeline: "9"},
	}}
}

// issue asks the helper.
func (h *helped) issue(t *testing.T) (creds.Credential, error) {
	t.Helper()
	terms, err := json.Marshal(h.terms)
	kit.Must(t, err)
	o := creds.Order{Provider: "exec", Name: "db", Terms: terms, Service: h.service}
	if !h.noHold {
		o.Hold = func(handle creds.Handle) error {
			h.held = append(h.held, handle)
			return h.failing
		}
	}
	claims := idtoken.Claims{Subject: "project_path:acme/deploy", ProjectPath: "acme/deploy", Audience: idtoken.Audience{"aud"}}
	return helper.Provider{}.Issue(t.Context(), o, idtoken.Token{Raw: mask.NewSecret(token), Claims: claims})
}

// read returns the content of a file that the script has written.
func (h *helped) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(h.dir, name))
	kit.Must(t, err)
	return string(content)
}

// rows returns the rows of an error, a line for each.
func rows(err error) string {
	var text strings.Builder
	for _, row := range fault.Rows(err) {
		text.WriteString(row.Label + "=" + row.Text + "\n")
	}
	return text.String()
}

// refused checks that the helper gives nothing, and why.
func (h *helped) refused(t *testing.T, name string, code fault.Code, want string) {
	t.Helper()
	_ = h.refusal(t, name, code, want)
}

// refusal does what refused does, and returns the error.
func (h *helped) refusal(t *testing.T, name string, code fault.Code, want string) error {
	t.Helper()
	c, err := h.issue(t)
	if err == nil || fault.CodeOf(err) != code || !strings.Contains(err.Error()+"\n"+rows(err), want) {
		t.Errorf("%s: %v (%s) with\n%s, want %s with %q", name, err, fault.CodeOf(err), rows(err), code, want)
	}
	if len(c.Env)+len(c.Files)+len(c.Secrets) > 0 {
		t.Errorf("%s: it gives %+v", name, c)
	}
	return err
}

// shown returns what is given, for a comparison.
func shown(c creds.Credential) string {
	var text strings.Builder
	for _, v := range c.Env {
		text.WriteString(v.Name + "=" + v.Value.Reveal() + "\n")
	}
	for _, f := range c.Files {
		text.WriteString(strings.Join(f.Variables, " ") + " " + f.Name + " " + f.As + ": " + f.Content.Reveal() + "\n")
	}
	for _, s := range c.Secrets {
		text.WriteString("secret " + s.Kind + ": " + s.Value.Reveal() + "\n")
	}
	return text.String()
}

var errKept = errors.New("no room")
