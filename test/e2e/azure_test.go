package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/fakecloud"
	"rolecall/test/kit"
)

// What Entra ID knows.
const (
	azureAudience = "api://AzureADTokenExchange"
	azureTenant   = "11111111-1111-1111-1111-111111111111"
	azureClient   = "22222222-2222-2222-2222-222222222222"
)

// newAzureWorld starts a world whose tenant alpha has a source in Azure with more keys.
func newAzureWorld(t *testing.T, keys string) *cloudWorld {
	t.Helper()
	c := newCloudWorld(t, newIsolatedWorld(t), fakecloud.Rules{Audience: azureAudience, Tenant: azureTenant, Client: azureClient})
	kit.Must(t, os.WriteFile(c.authority(), c.cloud.CA, 0o644))
	c.serveAs(t, "", fmt.Sprintf("[[tenant.source]]\nname = \"ms\"\nprovider = \"azure\"\nid_token = \"AZURE_ID_TOKEN\"\naudience = %q\ntenant_id = %q\nclient_id = %q\nauthority_host = %q\nca_bundle = %q\n%s",
		azureAudience, azureTenant, azureClient, c.cloud.TLSURL, c.authority(), keys))
	return c
}

// authority is the file with the authority of the cloud.
func (c *cloudWorld) authority() string { return filepath.Join(c.dir, "ca.pem") }

// TestAzure: a job gets an access token by Microsoft's own library. Its file is its own, on a
// tmpfs, and is gone afterwards.
func TestAzure(t *testing.T) {
	t.Parallel()
	c := newAzureWorld(t, "subscription_id = \"33333333-3333-3333-3333-333333333333\"\n")
	script := append([]string{
		"export SSL_CERT_FILE=" + c.authority(), c.ask("azure"),
		`echo "terraform: $ARM_USE_OIDC $ARM_CLIENT_ID $ARM_TENANT_ID $ARM_SUBSCRIPTION_ID, config ${AZURE_CONFIG_DIR##*/}"`,
		`[ "$ARM_OIDC_TOKEN_FILE_PATH" = "$AZURE_FEDERATED_TOKEN_FILE" ] && echo "one file"`,
	}, seen(`"$AZURE_FEDERATED_TOKEN_FILE"`)...)
	contains(t, c.succeed(t, sharedToken, c.of("AZURE_ID_TOKEN", azureAudience, script...)),
		"\nyou are application "+azureClient, "terraform: true "+azureClient+" "+azureTenant+" 33333333-3333-3333-3333-333333333333, config azure", "\none file\n",
		"\nfile .rolecall.azure-ms.token of root, others have ---\n", "\ntmpfs\n", "\n[MASKED]",
		"AZURE credentials of tenant alpha, valid until", "AZURE: tenant alpha, credentials ms, client "+azureClient+" of tenant "+azureTenant+", until")
	if n := len(c.cloud.Tokens()); n != 2 {
		t.Errorf("%d access tokens were given, want one to prepare and one to the library", n)
	}
	c.checkCloud(t, "AZURE_ID_TOKEN")
}

// TestAzureRefused: what Entra ID would refuse, and what would win over the source, fails before the
// script; the token is in no upload.
func TestAzureRefused(t *testing.T) {
	t.Parallel()
	c := newAzureWorld(t, "")
	job := c.of("AZURE_ID_TOKEN", azureAudience, "echo never")
	job.Variables = append(job.Variables, coordinator.Variable{Key: "AZURE_CLIENT_SECRET", Value: "mine"}, coordinator.Variable{Key: "ARM_USE_MSI", Value: "true"})
	contains(t, c.fail(t, sharedToken, job), "RC106", "ARM_USE_MSI, AZURE_CLIENT_SECRET")
	leaky := c.of("AZURE_ID_TOKEN", azureAudience, `cp "$AZURE_FEDERATED_TOKEN_FILE" out.txt`)
	leaky.Artifacts = []coordinator.Artifact{{Name: "out", Paths: []string{"out.txt"}}}
	c.settle(t)
	contains(t, c.fail(t, sharedToken, leaky), "RC108", `"out.txt": ID token`)
	c.settle(t)
	c.rewrite(t, c.policy, "client_id = \""+azureClient, "client_id = \""+azureTenant)
	log := c.fail(t, sharedToken, c.of("AZURE_ID_TOKEN", azureAudience, "echo never"))
	contains(t, log, `source "ms": Entra ID refuses the request for the client ("AADSTS700016")`, "RC341", "who acts   the runner's admin (not the pipeline)", "Entra correlation id 0123")
	if strings.Contains(log, "\nnever\n") {
		t.Errorf("the script has run:\n%s", log)
	}
	c.checkCloud(t, "AZURE_ID_TOKEN")
}
