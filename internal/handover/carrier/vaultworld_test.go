package carrier_test

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds/vault"
	"rolecall/internal/handover"
	"rolecall/internal/handover/errand"
	"rolecall/internal/handover/shelf"
	"rolecall/internal/mask"
	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// policy is what docs/handover.md says that the role of a tenant needs.
const policy = `
path "secret/data/rolecall/alpha/*" { capabilities = ["create", "update", "read"] }
path "secret/metadata/rolecall/alpha/*" { capabilities = ["create", "update", "list"] }
`

// vaultWorld is a real Vault, and a world without MinIO.
type vaultWorld struct {
	world
	*lab.Vault
	terms vault.Terms
}

// newVaultWorld starts a Vault that lets jobs hand over values.
func newVaultWorld(t *testing.T) *vaultWorld {
	t.Helper()
	w := &vaultWorld{world: world{dir: t.TempDir()}}
	var err error
	w.gitlab, err = coordinator.Start()
	kit.Must(t, err)
	t.Cleanup(w.gitlab.Close)
	w.Vault, err = lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir(), TLS: true})
	kit.Must(t, err)
	t.Cleanup(w.Close)
	kit.Must(t, w.AddKV(t.Context(), "secret", 2))
	kit.Must(t, w.TrustIssuer(t.Context(), w.gitlab.Issuer()))
	for role, text := range map[string]string{"alpha": policy, "beta": strings.ReplaceAll(policy, "alpha", "beta")} {
		kit.Must(t, w.AddRole(t.Context(), role, lab.VaultRole{Audience: "https://vault.example", Policy: text, Claims: map[string]string{"ref": "main"}}))
	}
	ca, err := os.ReadFile(w.CAFile)
	kit.Must(t, err)
	w.terms = vault.Terms{Settings: vault.Settings{Address: w.URL, AuthPath: "jwt", Role: "alpha"}, CA: ca}
	w.store = handover.Settings{Store: handover.Vault, MaxAge: time.Hour, Path: "secret/data/rolecall"}
	return w
}

// order returns the order of a job.
func (w *vaultWorld) order(t *testing.T) errand.Order {
	t.Helper()
	terms, err := json.Marshal(w.terms)
	kit.Must(t, err)
	run := w.gitlab.Enqueue("nobody", coordinator.Job{Ref: "main"})
	token := w.gitlab.SignToken(run.Claims("https://vault.example"))
	return errand.Order{Settings: w.store, Scope: scope(), Terms: terms, Token: mask.NewSecret(token), Within: 20 * time.Second}
}

// try hands over a parcel.
func (w *vaultWorld) try(t *testing.T, p handover.Parcel) error {
	t.Helper()
	o := w.order(t)
	o.Parcel = &p
	return serve(t, o).Fault.Err()
}

// take takes what other jobs have handed over.
func (w *vaultWorld) take(t *testing.T) errand.Taken {
	t.Helper()
	taken, err := serve(t, w.order(t)).Result(scope())
	kit.Must(t, err)
	return taken
}

// path returns the path of a parcel in Vault, of its data or its metadata.
func path(kind string, p handover.Parcel) string {
	return "secret/" + kind + "/rolecall/alpha/7/70/protected/" + shelf.NameOf(p).String()
}

// put writes an object as nobody can but an attacker.
func (w *vaultWorld) put(t *testing.T, p handover.Parcel, fields map[string]string) {
	t.Helper()
	kit.Must(t, w.Write(t.Context(), path("data", p), map[string]any{"data": fields}))
}

// remove removes an object with all that is known of it.
func (w *vaultWorld) remove(t *testing.T, p handover.Parcel) {
	t.Helper()
	kit.Must(t, w.Ask(t.Context(), lab.VaultRequest{Method: http.MethodDelete, Path: path("metadata", p), Token: w.Root()}, nil))
}
