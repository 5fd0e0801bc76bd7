package client_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/fault"
)

// TestHeldFirst: the token is held before anything is read by it. If it cannot be held it is revoked at
// once, and without one who holds there is no login.
func TestHeldFirst(t *testing.T) {
	t.Parallel()
	s := start(t, answers{"auth/token/revoke-self": said(204, "")}, httptest.NewServer)
	o := from(s.URL, dynamic)
	full := errors.New("the disk is full")
	o.job.Hold = func(creds.Handle) error { return full }
	if _, err := o.issue(t); !errors.Is(err, full) || len(s.calls()) != 2 || !strings.HasPrefix(s.calls()[1], "POST /v1/auth/token/revoke-self "+vaultToken) {
		t.Errorf("%v, asked %q", err, s.calls())
	}
	o = from(s.URL, dynamic)
	if _, err := o.issue(t); err == nil || len(o.held) != 1 {
		t.Errorf("a read that is refused: %v, held %v", err, o.held)
	}
	asked := len(s.calls())
	_, err := client.Provider{}.Issue(t.Context(), creds.Order{Terms: o.job.Terms}, token())
	if fault.CodeOf(err) != fault.Programs || len(s.calls()) != asked {
		t.Errorf("%v, asked %q", err, s.calls())
	}
	if _, err := (client.Provider{}).Issue(t.Context(), creds.Order{Terms: []byte("{")}, token()); err == nil {
		t.Error("terms of nobody are taken")
	}
}

// TestBounds: a secret of eight bytes and a file of 64 KiB are the shortest and the longest.
func TestBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", creds.MaxFile)
	s := start(t, answers{"kv/app": said(200, `{"data":{"key":"SECRET12","long":"`+long+`"}}`)}, httptest.NewServer)
	read := vault.Read{Path: "kv/app", Env: []vault.Pair{{Name: "KEY", Template: "{key}"}}, Files: []vault.Pair{{Name: "LONG", Template: "{long}"}}}
	c, err := from(s.URL, read).issue(t)
	if err != nil || len(c.Secrets) != 2 || c.Secrets[0].Value.Reveal() != "SECRET12" || c.Files[0].Content.Reveal() != long {
		t.Errorf("%v, %v", c.Secrets, err)
	}
}
