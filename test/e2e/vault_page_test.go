package e2e_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/document"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// vaultProgram does what Vault's own program does of the page: each of its commands is a request to the
// server, https://developer.hashicorp.com/vault/docs/commands. Vault's program is not built for the tests.
const vaultProgram = `
put() { curl --silent --show-error --fail-with-body -H "X-Vault-Token: $VAULT_TOKEN" -X PUT --data-binary @- "$VAULT_ADDR/v1/$1"; }
vault() {
  case "$1 $2" in
  "auth enable") printf '{"type": "%s"}' "$3" | put "sys/auth/$3" ;;
  "policy write") [ "$4" = - ] && jq -Rs '{policy: .}' | put "sys/policies/acl/$3" ;;
  write*) path=$2; shift 2
    if [ "$1" = - ]; then put "$path"; else printf '%s\n' "$@" | jq -Rn '[inputs | capture("(?<key>[^=]*)=(?<value>.*)")] | from_entries' | put "$path"; fi ;;
  read*) curl --silent --show-error --fail-with-body -H "X-Vault-Token: $VAULT_TOKEN" "$VAULT_ADDR/v1/$2" ;;
  *) echo "what is vault $*?" >&2; return 1 ;;
  esac
}
set -o pipefail
`

// TestVaultPage: Vault that was set up by the commands of docs/sources.md lets in the jobs that the page means,
// and no others.
func TestVaultPage(t *testing.T) {
	t.Parallel()
	kit.NeedProgram(t, "jq", "jq")
	kit.NeedProgram(t, "curl", "curl")
	gitlab := startGitLab(t)
	vault, err := lab.StartVault(t.Context(), lab.VaultOptions{Dir: t.TempDir()})
	kit.Must(t, err)
	t.Cleanup(vault.Close)
	kit.Must(t, vault.AddKV(t.Context(), "secret", 2))
	kit.Must(t, vault.Write(t.Context(), "secret/data/app", map[string]any{"data": map[string]any{"api_key": storedKey}}))
	run := func(command string) string {
		c := exec.CommandContext(t.Context(), "bash", "-ec", vaultProgram+strings.ReplaceAll(command, "https://gitlab.example.com", gitlab.Issuer()))
		c.Env = append(os.Environ(), "VAULT_ADDR="+vault.URL, "VAULT_TOKEN="+vault.Root())
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", command, err, out)
		}
		return string(out)
	}
	document.Run(t, "docs/sources.md", "Vault's side", func(s document.Step) { run(s.Command) })
	document.RunSpans(t, "docs/sources.md", "Vault's side", func(command string) {
		contains(t, run(command), `"user_claim":"job_id"`)
	})
	for ref, allowed := range map[string]bool{"main": true, "feature/x": false} {
		token, err := gitlab.Enqueue(nobodyToken, coordinator.Job{
			Project: coordinator.Project{ID: 42, Path: "acme/shop"}, Ref: ref, Protected: true, IDTokens: map[string]string{"VAULT_ID_TOKEN": "https://vault.example.com"},
		}).SignIDToken("VAULT_ID_TOKEN")
		kit.Must(t, err)
		login, err := vault.Login(t.Context(), "deploy-alpha", token)
		if (err == nil) != allowed {
			t.Errorf("a job of %s: %v", ref, err)
			continue
		}
		if allowed {
			if _, err := vault.Read(t.Context(), login.Auth.Token, "secret/data/app"); err != nil {
				t.Errorf("a token of the page's role: %v", err)
			}
		}
	}
}
