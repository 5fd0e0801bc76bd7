package client_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/creds/vault"
	"rolecall/internal/creds/vault/client"
	"rolecall/internal/idtoken"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// audience is that of the ID tokens that the real Vault takes.
const audience = "https://vault.example"

// real is a real Vault that takes the ID tokens of a GitLab server.
type real struct {
	*lab.Vault
	gitlab *coordinator.Server
	held   []creds.Handle
}

// startReal starts a real Vault, which speaks https. The role reader may read what paths says, and
// has more settings.
func startReal(t *testing.T, settings map[string]any, paths ...string) *real {
	t.Helper()
	gitlab, err := coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(gitlab.Close)
	v, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir(), TLS: true})
	kit.Must(t, err)
	t.Cleanup(v.Close)
	kit.Must(t, v.TrustIssuer(t.Context(), gitlab.Issuer()))
	kit.Must(t, v.AddRole(t.Context(), "reader", lab.VaultRole{
		Audience: audience, Claims: map[string]string{"project_path": "acme/*", "ref": "main"}, Policy: lab.AllowRead(paths...), Settings: settings,
	}))
	return &real{Vault: v, gitlab: gitlab}
}

// token returns the ID token of a job, with some of its claims.
func (r *real) token(t *testing.T, claims map[string]any) idtoken.Token {
	t.Helper()
	run := r.gitlab.Enqueue("nobody", coordinator.Job{Project: coordinator.Project{ID: 42, Path: "acme/deploy"}, Ref: "main"})
	all := run.Claims(audience)
	maps.Copy(all, claims)
	token, err := idtoken.Parse(r.gitlab.SignToken(all))
	kit.Must(t, err)
	return token
}

// issue gets a credential for a job with those claims. Change may change the order.
func (r *real) issue(t *testing.T, claims map[string]any, change func(*vault.Terms), reads ...vault.Read) (creds.Credential, error) {
	t.Helper()
	ca, err := os.ReadFile(r.CAFile)
	kit.Must(t, err)
	terms := vault.Terms{Settings: vault.Settings{Address: r.URL, AuthPath: "jwt", Role: "reader", Reads: reads}, CA: ca}
	if change != nil {
		change(&terms)
	}
	content, err := json.Marshal(terms)
	kit.Must(t, err)
	order := creds.Order{Provider: vault.Name, Name: "db", Terms: content, Hold: func(h creds.Handle) error {
		r.held = append(r.held, h)
		return nil
	}}
	return client.Provider{}.Issue(t.Context(), order, r.token(t, claims))
}

// revoke revokes all that is held.
func (r *real) revoke(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, h := range r.held {
		if err := (client.Provider{}).Revoke(ctx, []byte(h.Terms.Reveal())); err != nil {
			t.Error(err)
		}
	}
}

// addUsers lets Vault make users of a real database.
func (r *real) addUsers(t *testing.T) *lab.Postgres {
	t.Helper()
	if _, err := lab.FindPostgres(); err != nil {
		t.Skip("NOT TESTED, users of a database:", err)
	}
	p, err := lab.StartPostgres(t.Context(), lab.PostgresOptions{Dir: t.TempDir()})
	kit.Must(t, err)
	t.Cleanup(p.Close)
	kit.Must(t, r.AddDatabase(t.Context(), p))
	kit.Must(t, r.AddDatabaseRole(t.Context(), "short", time.Hour))
	return p
}

// userRead returns a read of a user of the database.
func userRead() vault.Read {
	return vault.Read{Path: "database/creds/short", Env: []vault.Pair{{Name: "PGUSER", Template: "{username}"}, {Name: "PGPASSWORD", Template: "{password}"}}, Plain: []string{"PGUSER"}}
}
