package e2e_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// handoverPolicy is what docs/handover.md says that the role of a tenant in Vault needs.
const handoverPolicy = `
path "kv/data/rolecall/alpha/*" { capabilities = ["create", "update", "read"] }
path "kv/metadata/rolecall/alpha/*" { capabilities = ["create", "update", "list"] }
path "kv/data/app" { capabilities = ["read"] }
`

// handOverByVault writes the policy file: alpha hands over values by a Vault, with these keys.
func (w *storesWorld) handOverByVault(t *testing.T, v *lab.Vault, keys ...string) {
	t.Helper()
	table := "[handover]\nstore = \"vault\"\npath = \"kv/data/rolecall\"\n"
	if len(keys) > 0 {
		table += fmt.Sprintf("seal_key_files = [%q]\n", w.sealKey(t, keys[0]))
	}
	w.write(t, w.base+table)
	w.serveAs(t, "", fmt.Sprintf(`[[tenant.source]]
name = "kv"
provider = "vault"
address = %q
ca_bundle = %q
role = "handover"
id_token = "VAULT_ID_TOKEN"
audience = %q
[[tenant.source.read]]
path = "kv/data/app"
env = { APP = "{app}" }
`, v.URL, v.CAFile, vaultAudience))
}

// ofVault gives a job the ID token that Vault takes.
func ofVault(job coordinator.Job, pipeline int64) coordinator.Job {
	job.IDTokens["VAULT_ID_TOKEN"], job.PipelineID = vaultAudience, pipeline
	return job
}

// TestHandoverVault: jobs hand over values by a real Vault, sealed and not. No token of them stays.
func TestHandoverVault(t *testing.T) {
	t.Parallel()
	w := newStoresWorld(t)
	ctx := t.Context()
	v, err := lab.StartVault(ctx, lab.VaultOptions{Dir: t.TempDir(), TLS: true})
	kit.Must(t, err)
	t.Cleanup(v.Close)
	kit.Must(t, v.TrustIssuer(ctx, w.gitlab.Issuer()))
	kit.Must(t, v.AddKV(ctx, "kv", 2))
	kit.Must(t, v.Write(ctx, "kv/data/app", map[string]any{"data": map[string]any{"app": "a-value-of-the-app"}}))
	kit.Must(t, v.AddRole(ctx, "handover", lab.VaultRole{Audience: vaultAudience, Claims: map[string]string{"project_path": "acme/*", "ref": "main"}, Policy: handoverPolicy}))
	for pipeline, keys := range map[int64][]string{80: nil, 81: {"one"}} {
		w.handOverByVault(t, v, keys...)
		log := w.pass(t, ofVault(w.writer("alpha"), pipeline))
		contains(t, log, "handed over to later jobs of this pipeline, of tenant alpha and protected refs", "DB_URL (secret), VERSION")
		contains(t, w.pass(t, ofVault(w.reader("alpha"), pipeline)), "has <[MASKED]> <1-alpha>")
		w.refuse(t, ofVault(w.reader("alpha"), pipeline+10), "script_failure", "RC114")
		var names struct {
			Data struct{ Keys []string }
		}
		kit.Must(t, v.Ask(ctx, lab.VaultRequest{Method: "LIST", Path: fmt.Sprintf("kv/metadata/rolecall/alpha/42/%d/protected", pipeline), Token: v.Root()}, &names))
		if len(names.Data.Keys) != 1 {
			t.Fatalf("Vault has %q", names.Data.Keys)
		}
		read, err := v.Read(ctx, v.Root(), fmt.Sprintf("kv/data/rolecall/alpha/42/%d/protected/%s", pipeline, names.Data.Keys[0]))
		kit.Must(t, err)
		if sealed := !strings.Contains(fmt.Sprint(read.Data), "hunter2"); sealed != (keys != nil) {
			t.Errorf("with the keys %q Vault has %v", keys, read.Data)
		}
	}
	w.handOverByVault(t, v) // what is sealed does not open without a key
	w.refuse(t, ofVault(w.reader("alpha"), 81), "script_failure", "RC114", "what a job has handed over cannot be used")
	until(t, time.Minute, "no token of a job is left", func() bool {
		tokens, err := v.Tokens(ctx)
		return err == nil && len(tokens) == 1
	})
	w.settle(t)
	w.checkNothingLeft(t)
}
