package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admission"
	"rolecall/internal/audit"
	"rolecall/internal/creds"
	"rolecall/internal/idtoken"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/internal/session"
	"rolecall/internal/tenant"
	"rolecall/test/kit"
)

// secret is a part of all that no log may hold.
const secret = "hunter2"

// provider is a provider whose orders have those facts, and whose server gives a
// credential or an error.
type provider struct {
	name  string
	facts creds.Facts
	err   error
	asked *int // how often the server was
}

func (p provider) Name() string                       { return p.name }
func (p provider) Overrides(variable string) bool     { return variable == "OVERRIDES" }
func (p provider) ByJob(admission.Asker) (any, error) { return "", nil }
func (p provider) Order(admission.Asker) (creds.Order, error) {
	return creds.Order{Provider: p.name, Session: "session-of-" + p.name, Facts: p.facts, Terms: json.RawMessage(`"` + secret + `"`)}, nil
}

// Issue is that of a session.Issuer.
func (p provider) Issue(_ context.Context, o creds.Order, token idtoken.Token) (creds.Credential, error) {
	if *p.asked++; o.Provider != p.name || token.Raw.Reveal() != secret+"token" {
		panic("the order or the token is another's")
	}
	return creds.Credential{
		Provider: p.name, Env: []creds.Variable{{Name: strings.ToUpper(p.name), Value: mask.NewSecret(secret + p.name)}},
		Facts:   append(p.facts, creds.Fact{Name: "role_session_name", Value: o.Session}, creds.Fact{Name: "access_key_id", Value: "KEY-" + p.name}),
		Expires: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}, p.err
}

// aws and vault return two providers, of which one has a role.
func aws() provider {
	return provider{name: "aws", facts: creds.Facts{{Name: "role_arn", Value: "arn:role"}}, asked: new(int)}
}

func vault() provider { return provider{name: "vault", asked: new(int)} }

// newCase returns the case of a job that tenant alpha allows, whose log is at path and
// to whom the providers give something.
func newCase(t *testing.T, path string, providers ...provider) admission.Case {
	t.Helper()
	project, err := tenant.ParseProject("acme/deploy")
	kit.Must(t, err)
	alpha := tenant.Tenant{Name: "alpha", IDToken: "TOKEN", Audience: "aud", Projects: []tenant.Pattern{project}, RefTypes: []string{"branch"}}
	c := admission.Case{
		Response: job.Response{Key: job.Key{ID: 7}, Project: 42, Pipeline: 9, ProjectPath: "acme/deploy"},
		Request:  job.Request{"TOKEN": "main"},
		Read: func(raw string) (idtoken.Token, error) {
			return idtoken.Token{Raw: mask.NewSecret(secret + "token"), Claims: idtoken.Claims{
				ID: "jti-1", Issuer: "https://gitlab.example.com", Audience: []string{"aud"}, JobID: "7", ProjectID: "42", UserLogin: "ann",
				ProjectPath: "acme/deploy", JobProjectPath: "acme/deploy", Ref: raw, RefType: map[string]string{"main": "branch"}[raw],
			}}, nil
		},
	}
	for _, p := range providers {
		alpha.Gifts = append(alpha.Gifts, tenant.Gift{Provider: p.name})
		c.Providers = append(c.Providers, p)
	}
	c.Policy = tenant.NewPolicy(tenant.Settings{AuditLog: path}, []tenant.Tenant{alpha}, "5f37")
	return c
}

// issuers returns providers as a session asks them.
func issuers(providers ...provider) []session.Issuer {
	var all []session.Issuer
	for _, p := range providers {
		all = append(all, p)
	}
	return all
}

// newLog returns the path of an audit log that is not there yet.
func newLog(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "audit")
}

// lines returns the events of an audit log, without their times.
func lines(t *testing.T, path string) []audit.Event {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if strings.Contains(string(content), secret) {
		t.Errorf("a secret is in the audit log:\n%s", content)
	}
	var events []audit.Event
	for decoder := json.NewDecoder(bytes.NewReader(content)); decoder.More(); {
		var e audit.Event
		kit.Must(t, decoder.Decode(&e))
		if e.Host == "" || e.BootID == "" || e.Policy == "" || e.Version == "" || e.Program != "prepare" {
			t.Errorf("a line does not say who has written it: %+v", e)
		}
		e.Time, e.Host, e.BootID, e.Program, e.Version, e.Policy = time.Time{}, "", "", "", "", ""
		events = append(events, e)
	}
	return events
}

// of returns an event of the job, with the claims of its token.
func of(e audit.Event, ref, refType string) audit.Event {
	e.JobID, e.PipelineID, e.JobProjectID, e.JobProjectPath = "7", "9", "42", "acme/deploy"
	e.ProjectID, e.ProjectPath, e.Ref, e.RefType, e.UserLogin, e.Issuer, e.TokenID = "42", "acme/deploy", ref, refType, "ann", "https://gitlab.example.com", "jti-1"
	return e
}
