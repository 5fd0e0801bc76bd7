package e2e_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// vaultAudience is the aud of the ID tokens that Vault takes.
const vaultAudience = "https://vault.example"

// Secrets that Vault keeps.
const (
	storedKey  = "a-key-in-vault-that-nobody-may-see"
	storedText = "a-text-in-vault-that-nobody-may-see"
)

// vaultWorld is a world whose tenant alpha has a source of Vault, with users of a database.
type vaultWorld struct {
	*policyWorld

	vault *lab.Vault
	users *lab.Postgres
}

// newVaultWorld starts a world with Vault and PostgreSQL. More are keys and tables after the source.
func newVaultWorld(t *testing.T, more string) *vaultWorld {
	t.Helper()
	w := &vaultWorld{policyWorld: newIsolatedWorld(t)}
	w.startVault(t)
	w.serveAs(t, "", w.vaultSource(more))
	return w
}

// startVault starts Vault and PostgreSQL, and lets jobs of acme's main branch have a user.
func (w *vaultWorld) startVault(t *testing.T) {
	t.Helper()
	if _, err := lab.FindPostgres(); err != nil {
		t.Skip("NOT TESTED, users of a database:", err)
	}
	ctx := t.Context()
	var err error
	w.users, err = lab.StartPostgres(ctx, lab.PostgresOptions{Dir: t.TempDir()})
	kit.Must(t, err)
	t.Cleanup(w.users.Close)
	w.vault, err = lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir(), TLS: true})
	kit.Must(t, err)
	t.Cleanup(w.vault.Close)
	kit.Must(t, w.vault.TrustIssuer(ctx, w.gitlab.Issuer()))
	kit.Must(t, w.vault.AddDatabase(ctx, w.users))
	kit.Must(t, w.vault.AddDatabaseRole(ctx, "app", time.Hour))
	kit.Must(t, w.vault.AddKV(ctx, "one", 1))
	kit.Must(t, w.vault.AddKV(ctx, "two", 2))
	kit.Must(t, w.vault.Write(ctx, "one/app", map[string]any{"port": 5432}))
	kit.Must(t, w.vault.Write(ctx, "two/data/app", map[string]any{"data": map[string]any{"api_key": storedKey, "tls_key": storedText + "\n" + storedText}}))
	kit.Must(t, w.vault.AddRole(ctx, "deploy", lab.VaultRole{
		Audience: vaultAudience, Claims: map[string]string{"project_path": "acme/*", "ref": "main"},
		Policy: lab.AllowRead("database/creds/app", "one/app", "two/data/app"),
	}))
}

// vaultSource is the source of Vault, and what follows it.
func (w *vaultWorld) vaultSource(more string) string {
	return fmt.Sprintf(`[[tenant.source]]
name = "db"
provider = "vault"
address = %q
ca_bundle = %q
role = "deploy"
id_token = "VAULT_ID_TOKEN"
audience = %q
[[tenant.source.read]]
path = "database/creds/app"
env = { PGUSER = "{username}", PGPASSWORD = "{password}", DATABASE_URL = "postgres://{username|url}:{password|url}@%s/postgres" }
plain = ["PGUSER"]
[[tenant.source.read]]
path = "one/app"
env = { APP_PORT = "{port}" }
plain = ["APP_PORT"]
[[tenant.source.read]]
path = "two/data/app"
env = { API_KEY = "{api_key}" }
files = { TLS_KEY_FILE = "{tls_key}" }
%s`, w.vault.URL, w.vault.CAFile, vaultAudience, w.users.Address, more)
}

// client returns a job that may have a user of the database.
func (w *vaultWorld) client(script ...string) coordinator.Job {
	job := w.alpha(script...)
	job.IDTokens["VAULT_ID_TOKEN"] = vaultAudience
	return job
}

// psql is a line of a script that asks the database who it is.
const psql = `echo "connected as $(psql -Atc 'select current_user' "$DATABASE_URL")"`

// checkRevoked waits until the database has no user of a job, and Vault no lease and no token but its
// own.
func (w *vaultWorld) checkRevoked(t *testing.T) {
	t.Helper()
	until(t, time.Minute, "no user of a job is left in the database", func() bool {
		users, err := w.users.Users(t.Context(), "v-%")
		return err == nil && len(users) == 0
	})
	leases, err := w.vault.Leases(t.Context(), "database/creds/app")
	if err != nil || len(leases) > 0 {
		t.Errorf("leases %q are left, %v", leases, err)
	}
	if tokens, err := w.vault.Tokens(t.Context()); err != nil || len(tokens) != 1 {
		t.Errorf("tokens %q are left, %v, want the one of root", tokens, err)
	}
	if held, _ := os.ReadDir(w.credentials() + "/revocations"); len(held) > 0 {
		t.Errorf("%v is held", held)
	}
}

// noSecrets fails the test where a log has what Vault gave.
func noSecrets(t *testing.T, log string) {
	t.Helper()
	for _, secret := range []string{storedKey, storedText} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s:\n%s", secret, log)
		}
	}
}

// TestVault: a job connects to the database as a user of its own, beside its AWS credentials. What
// Vault gave is masked, is in no upload, and is gone when the job has ended; no script has the token.
func TestVault(t *testing.T) {
	t.Parallel()
	w := newVaultWorld(t, "")
	run := w.enqueue(sharedToken, w.client(
		w.s3("put alpha key text"), psql, `echo "$PGUSER $PGPASSWORD $DATABASE_URL $API_KEY port $APP_PORT"`,
		`cat "$TLS_KEY_FILE"; stat -c 'mode %a of %U on %n' "$TLS_KEY_FILE"`, `echo "token: ${VAULT_TOKEN-none} ${VAULT_ADDR-none}"`,
		`echo "$PGPASSWORD" | rev | base64 > hidden.txt`, "sleep 1",
	))
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	log := run.Text()
	noSecrets(t, log)
	contains(t, log, "\nconnected as v-jwt-", " [MASKED] [MASKED] [MASKED] port 5432\n", "\n[MASKED]mode 640 of root on /dev/shm/", "token: none none", "VAULT credentials of tenant alpha, valid until")
	w.checkRevoked(t)
	w.awaitKinds(t, run, "decision issued masked revoked ended")
	for _, e := range w.events(t, run) {
		if e["event"] == "revoked" && (e["provider"] != "vault" || e["source"] != "db" || e["program"] != "revoke" || e["tenant"] != "alpha") {
			t.Errorf("the audit log has %v", e)
		}
	}
	w.settle(t)
	upload := w.client(`echo "url $DATABASE_URL" > out.txt`)
	upload.Artifacts = []coordinator.Artifact{{Name: "out", Paths: []string{"out.txt"}}}
	contains(t, w.fail(t, sharedToken, upload), "RC108")
	w.settle(t)
	over := w.client("true")
	over.Variables = append(over.Variables, coordinator.Variable{Key: "PGPASSWORD", Value: "x"})
	contains(t, w.fail(t, sharedToken, over), "RC106", "PGPASSWORD")
	w.checkRevoked(t)
}

// TestVaultOfImage: a job with an image has it all in its container.
func TestVaultOfImage(t *testing.T) {
	t.Parallel()
	if !kit.InUnified(t, "jobs in containers") {
		return
	}
	boxed := newContainerWorld(t, "")
	w := &vaultWorld{policyWorld: boxed.policyWorld}
	w.startVault(t)
	w.serveAs(t, "", w.vaultSource(""))
	job := boxed.alpha(`echo "$PGUSER: $PGPASSWORD $API_KEY"; cat "$TLS_KEY_FILE"; echo "token ${VAULT_TOKEN-none}"`)
	job.IDTokens["VAULT_ID_TOKEN"] = vaultAudience
	log := w.succeed(t, sharedToken, boxed.in("ci/tool:1", job))
	noSecrets(t, log)
	contains(t, log, "\nv-jwt-", ": [MASKED] [MASKED]\n[MASKED]", "token none")
	w.checkRevoked(t)
}
