package lab_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

const vaultAudience = "https://vault.example"

// startVault starts Vault, which takes tokens of a server's jobs of acme: the role reader may
// read what the policy says.
func startVault(t *testing.T, server *coordinator.Server, secure bool, policy string) *lab.Vault {
	t.Helper()
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir(), TLS: secure})
	kit.Must(t, err)
	t.Cleanup(v.Close)
	kit.Must(t, v.TrustIssuer(t.Context(), server.Issuer()))
	kit.Must(t, v.AddRole(t.Context(), "reader", lab.VaultRole{
		Audience: vaultAudience,
		Claims:   map[string]string{"project_path": "acme/*"},
		Policy:   policy,
	}))
	return v
}

// startPostgres starts PostgreSQL.
func startPostgres(t *testing.T) *lab.Postgres {
	t.Helper()
	if _, err := lab.FindPostgres(); err != nil {
		t.Skip("NOT TESTED, users of a database:", err)
	}
	p, err := lab.StartPostgres(t.Context(), lab.PostgresOptions{Dir: t.TempDir()})
	kit.Must(t, err)
	t.Cleanup(p.Close)
	return p
}

// startVaultWithUsers starts both. The role reader gets a user of the database.
func startVaultWithUsers(t *testing.T, server *coordinator.Server, secure bool) (*lab.Vault, *lab.Postgres) {
	t.Helper()
	p := startPostgres(t)
	v := startVault(t, server, secure, lab.AllowRead("database/creds/short"))
	kit.Must(t, v.AddDatabase(t.Context(), p))
	kit.Must(t, v.AddDatabaseRole(t.Context(), "short", time.Hour))
	return v, p
}

// idToken returns a token of a job of a project.
func idToken(server *coordinator.Server, project, audience string) string {
	run := server.Enqueue("nobody", coordinator.Job{Project: coordinator.Project{ID: 42, Path: project}})
	return server.SignToken(run.Claims(audience))
}

// login logs in as a job of acme, and returns the token of that login.
func login(t *testing.T, server *coordinator.Server, v *lab.Vault) string {
	t.Helper()
	in, err := v.Login(t.Context(), "reader", idToken(server, "acme/deploy", vaultAudience))
	kit.Must(t, err)
	return in.Auth.Token
}

// refused reports whether an error is Vault's refusal with that status, and has that text.
func refused(err error, status int, text string) bool {
	var refusal *lab.VaultError
	return errors.As(err, &refusal) && refusal.Status == status && strings.Contains(err.Error(), text)
}

// TestVaultLogin: the token's audience and claims decide who may log in, and the role's policy
// what is read.
func TestVaultLogin(t *testing.T) {
	server := startCoordinator(t)
	v := startVault(t, server, false, lab.AllowRead("one/app", "two/data/app"))
	for mount, version := range map[string]int{"one": 1, "two": 2} {
		kit.Must(t, v.AddKV(t.Context(), mount, version))
	}
	kit.Must(t, v.Write(t.Context(), "one/app", map[string]string{"key": "first"}))
	kit.Must(t, v.Write(t.Context(), "two/data/app", map[string]any{"data": map[string]string{"key": "second"}}))
	token := login(t, server, v)
	first, err := v.Read(t.Context(), token, "one/app")
	if err != nil || first.Data["key"] != "first" {
		t.Errorf("version 1: %v, %v", first.Data, err)
	}
	second, err := v.Read(t.Context(), token, "two/data/app")
	if inner, ok := second.Data["data"].(map[string]any); err != nil || !ok || inner["key"] != "second" {
		t.Errorf("version 2: %v, %v", second.Data, err)
	}
	if _, err := v.Read(t.Context(), token, "one/other"); !refused(err, http.StatusForbidden, "permission denied") {
		t.Errorf("a path that the policy does not name: %v", err)
	}
	if _, err := v.Login(t.Context(), "reader", idToken(server, "acme/deploy", alphaAudience)); !refused(err, http.StatusBadRequest, "audience") {
		t.Errorf("another audience: %v", err)
	}
	if _, err := v.Login(t.Context(), "reader", idToken(server, "other/deploy", vaultAudience)); !refused(err, http.StatusBadRequest, "project_path") {
		t.Errorf("another project: %v", err)
	}
}

// TestVaultUser: the user of a lease can log in until the token is revoked.
func TestVaultUser(t *testing.T) {
	server := startCoordinator(t)
	v, p := startVaultWithUsers(t, server, false)
	token := login(t, server, v)
	user := readUser(t, v, token)
	if text, err := p.QueryAs(t.Context(), user.name, user.password, "select current_user"); err != nil || text != user.name {
		t.Errorf("psql: %q, %v", text, err)
	}
	if can, err := p.CanLogin(t.Context(), user.name, "wrong"); err != nil || can {
		t.Errorf("with a wrong password: %v, %v", can, err)
	}
	if users, err := p.Users(t.Context(), "v-%"); err != nil || !slices.Equal(users, []string{user.name}) {
		t.Errorf("users: %q, %v", users, err)
	}
	if leases, err := v.Leases(t.Context(), "database/creds/short"); err != nil || len(leases) != 1 {
		t.Errorf("leases: %q, %v", leases, err)
	}
	tokens, err := v.Tokens(t.Context())
	if err != nil || len(tokens) != 2 {
		t.Errorf("tokens: %q, %v", tokens, err)
	}
	revokeSelf(t, v, token)
	checkGone(t, v, p, token, user)
}

// TestVaultComesBack: tokens and leases outlive a server that is stopped, and one that is
// sealed. This one speaks https.
func TestVaultComesBack(t *testing.T) {
	server := startCoordinator(t)
	v, p := startVaultWithUsers(t, server, true)
	token := login(t, server, v)
	user := readUser(t, v, token)
	p.Stop()
	if _, err := p.CanLogin(t.Context(), user.name, user.password); err == nil {
		t.Error("PostgreSQL answers after its end")
	}
	kit.Must(t, p.Start(t.Context()))
	v.Stop()
	if _, err := v.Lives(t.Context(), token); err == nil {
		t.Error("Vault answers after its end")
	}
	kit.Must(t, v.Start(t.Context()))
	kit.Must(t, v.Seal(t.Context()))
	if _, err := v.Lives(t.Context(), token); !refused(err, http.StatusServiceUnavailable, "Vault is sealed") {
		t.Errorf("sealed: %v", err)
	}
	kit.Must(t, v.Unseal(t.Context()))
	lives, err := v.Lives(t.Context(), token)
	if can, err := p.CanLogin(t.Context(), user.name, user.password); err != nil || !can || !lives {
		t.Errorf("the user: %v, %v; the token: %v", can, err, lives)
	}
	kit.Must(t, err)
	revokeSelf(t, v, token)
	checkGone(t, v, p, token, user)
}

// databaseUser is a user that Vault has made.
type databaseUser struct{ name, password string }

// readUser reads a user of the database.
func readUser(t *testing.T, v *lab.Vault, token string) databaseUser {
	t.Helper()
	secret, err := v.Read(t.Context(), token, "database/creds/short")
	kit.Must(t, err)
	if secret.LeaseID == "" || secret.LeaseDuration != 3600 {
		t.Errorf("the lease %q ends in %d s", secret.LeaseID, secret.LeaseDuration)
	}
	name, _ := secret.Data["username"].(string)
	password, _ := secret.Data["password"].(string)
	return databaseUser{name: name, password: password}
}

// revokeSelf revokes a token by its own right.
func revokeSelf(t *testing.T, v *lab.Vault, token string) {
	t.Helper()
	kit.Must(t, v.Ask(t.Context(), lab.VaultRequest{Path: "auth/token/revoke-self", Token: token}, nil))
}

// checkGone checks that a token that was revoked is dead, and that its user soon is: Vault
// answers before it has dropped the user.
func checkGone(t *testing.T, v *lab.Vault, p *lab.Postgres, token string, user databaseUser) {
	t.Helper()
	if lives, err := v.Lives(t.Context(), token); err != nil || lives {
		t.Errorf("the token lives: %v, %v", lives, err)
	}
	kit.Await(t, "the user is dropped", func() bool {
		users, err := p.Users(t.Context(), "v-%")
		return err == nil && len(users) == 0
	})
	if can, err := p.CanLogin(t.Context(), user.name, user.password); err != nil || can {
		t.Errorf("the user can log in: %v, %v", can, err)
	}
	kit.Await(t, "the lease is forgotten", func() bool {
		leases, err := v.Leases(t.Context(), "database/creds/short")
		return err == nil && len(leases) == 0
	})
}
