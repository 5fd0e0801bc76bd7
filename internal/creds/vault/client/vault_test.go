package client_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestUser: a job gets a user of a database, who is gone when the token is revoked, which can be
// done twice. The database may be away meanwhile.
func TestUser(t *testing.T) {
	t.Parallel()
	r := startReal(t, nil, "database/creds/short")
	p := r.addUsers(t)
	c, err := r.issue(t, nil, nil, userRead())
	kit.Must(t, err)
	env, _, secrets := environ(c)
	name, password := env["PGUSER"], env["PGPASSWORD"]
	if got, err := p.QueryAs(t.Context(), name, password, "select current_user"); err != nil || got != name {
		t.Errorf("psql: %q, %v", got, err)
	}
	if secrets[password] == "" || len(secrets) != 1 {
		t.Errorf("masked are %d texts", len(secrets))
	}
	if left := time.Until(c.Expires); left > time.Hour || left < 55*time.Minute || len(r.held) != 1 {
		t.Errorf("it ends in %v; held %d", left, len(r.held))
	}
	r.revoke(t.Context(), t)
	r.revoke(t.Context(), t)
	kit.Await(t, "the user is dropped", func() bool {
		users, err := p.Users(t.Context(), "v-%")
		return err == nil && len(users) == 0
	})
	if can, err := p.CanLogin(t.Context(), name, password); err != nil || can {
		t.Errorf("the user can log in: %v, %v", can, err)
	}
}

// TestDatabaseAway: a database that does not answer is infrastructure's, and the token that Vault
// has given is held all the same.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	r := startReal(t, nil, "database/creds/short")
	r.addUsers(t).Stop()
	_, err := r.issue(t, nil, nil, userRead())
	if fault.CodeOf(err) != fault.NoSource || !strings.Contains(err.Error(), "HTTP status 500") || len(r.held) != 1 {
		t.Errorf("%v, held %d", err, len(r.held))
	}
	r.revoke(t.Context(), t)
}

// TestKeysAndValues: both versions of the store of Vault are read, and what is wrong with a path is
// told.
func TestKeysAndValues(t *testing.T) {
	t.Parallel()
	r := startReal(t, nil, "one/*", "two/*")
	for mount, version := range map[string]int{"one": 1, "two": 2} {
		kit.Must(t, r.AddKV(t.Context(), mount, version))
	}
	kit.Must(t, r.Write(t.Context(), "one/app", map[string]any{"key": "first secret", "n": 12345678901}))
	kit.Must(t, r.Write(t.Context(), "two/data/app", map[string]any{"data": map[string]any{"key": "second\nsecret"}}))
	c, err := r.issue(t, nil, func(terms *vault.Terms) { terms.Token = true },
		vault.Read{Path: "one/app", Env: []vault.Pair{{Name: "A", Template: "{key}-{n}"}}}, vault.Read{Path: "two/data/app", Files: []vault.Pair{{Name: "B", Template: "{key}"}}})
	kit.Must(t, err)
	kit.Must(t, creds.Set{c}.Check())
	env, files, _ := environ(c)
	if env["A"] != "first secret-12345678901" || files["B"] != "second\nsecret" {
		t.Errorf("%v, %v", env, files)
	}
	if lives, err := r.Lives(t.Context(), env["VAULT_TOKEN"]); err != nil || !lives {
		t.Errorf("the token lives: %v, %v", lives, err)
	}
	for path, want := range map[string]string{
		"one/none": "nothing at a path", "two/app": "needs data/ after the mount", "two/data/none": "nothing at a path", "three/app": "do not allow the read",
	} {
		_, err := r.issue(t, nil, nil, vault.Read{Path: path, Env: []vault.Pair{{Name: "A", Template: "{key}"}}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	r.revoke(t.Context(), t)
	if lives, err := r.Lives(t.Context(), env["VAULT_TOKEN"]); err != nil || lives {
		t.Errorf("the token lives: %v, %v", lives, err)
	}
}

// TestRealRefusals: what a real Vault says is understood.
func TestRealRefusals(t *testing.T) {
	t.Parallel()
	r := startReal(t, nil, "one/app")
	now := time.Now().Unix()
	for name, test := range map[string]struct {
		claims map[string]any
		change func(*vault.Terms)
		code   fault.Code
		want   string
	}{
		"audience":    {map[string]any{"aud": "other"}, nil, fault.SourceRejected, "bound_audiences"},
		"issuer":      {map[string]any{"iss": "https://other.example"}, nil, fault.SourceRejected, "bound_issuer"},
		"ref":         {map[string]any{"ref": "feature/x"}, nil, fault.SourceDenied, "must allow this ref"},
		"project":     {map[string]any{"project_path": "other/deploy"}, nil, fault.SourceDenied, "must allow this project_path"},
		"expired":     {map[string]any{"iat": now - 9000, "nbf": now - 9000, "exp": now - 3600}, nil, fault.ForeignToken, "has expired, as Vault sees it"},
		"not yet":     {map[string]any{"nbf": now + 3600, "iat": now + 3600, "exp": now + 7200}, nil, fault.Clock, "of the future, as"},
		"no role":     {nil, func(terms *vault.Terms) { terms.Role = "nope" }, fault.BadSource, "no such role"},
		"no method":   {nil, func(terms *vault.Terms) { terms.AuthPath = "nope" }, fault.SourceDenied, "no login is allowed at the path"},
		"unknown CA":  {nil, func(terms *vault.Terms) { terms.CA = nil }, fault.NoSource, "its certificate is not trusted"},
		"not to read": {nil, func(terms *vault.Terms) { terms.Reads[0].Path = "sys/mounts" }, fault.SourceDenied, `path "sys/mounts" {`},
	} {
		_, err := r.issue(t, test.claims, test.change, vault.Read{Path: "one/app", Env: []vault.Pair{{Name: "A", Template: "{key}"}}})
		if fault.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s %q", name, err, test.code, test.want)
		}
	}
	other := startReal(t, nil, "none")
	r.gitlab = other.gitlab
	if _, err := r.issue(t, map[string]any{"iss": r.gitlab.Issuer()}, nil); fault.CodeOf(err) != fault.SourceRejected {
		t.Errorf("of another issuer: %v", err)
	}
}

// TestSealed: a Vault that is sealed is infrastructure's, and says that somebody must act.
func TestSealed(t *testing.T) {
	t.Parallel()
	r := startReal(t, nil, "none")
	_, err := r.issue(t, nil, func(terms *vault.Terms) { terms.Token = true })
	kit.Must(t, err)
	kit.Must(t, r.Seal(t.Context()))
	_, err = r.issue(t, nil, nil)
	revoked := client.Provider{}.Revoke(t.Context(), []byte(r.held[0].Terms.Reveal()))
	for _, err := range []error{err, revoked} {
		if fault.CodeOf(err) != fault.NoSource || !strings.Contains(err.Error(), "1 try: Vault is sealed; somebody must unseal it") {
			t.Error(err)
		}
	}
	kit.Must(t, r.Unseal(t.Context()))
	r.revoke(t.Context(), t)
}

// TestRealBatch: nothing with a lease is given by a batch token of a real Vault, and what has none
// is.
func TestRealBatch(t *testing.T) {
	t.Parallel()
	r := startReal(t, map[string]any{"token_type": "batch"}, "database/creds/short", "one/app")
	p := r.addUsers(t)
	_, err := r.issue(t, nil, nil, userRead())
	if fault.CodeOf(err) != fault.BadSource || !strings.Contains(err.Error(), "batch tokens") || len(r.held) != 0 {
		t.Errorf("%v, held %d", err, len(r.held))
	}
	if users, err := p.Users(t.Context(), "v-%"); err != nil || len(users) != 1 {
		t.Errorf("users %q, %v: a batch token has left one, which the error is about", users, err)
	}
	kit.Must(t, r.AddKV(t.Context(), "one", 1))
	kit.Must(t, r.Write(t.Context(), "one/app", map[string]any{"key": "first secret"}))
	c, err := r.issue(t, nil, nil, vault.Read{Path: "one/app", Env: []vault.Pair{{Name: "A", Template: "{key}"}}})
	if err != nil || len(r.held) != 0 || !slices.ContainsFunc(client.Provider{}.Report(c.Facts).Notes, func(n string) bool { return strings.Contains(n, "batch token") }) {
		t.Errorf("%v, held %d", err, len(r.held))
	}
}
