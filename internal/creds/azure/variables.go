package azure

import (
	"rolecall/internal/creds"
	"rolecall/internal/mask"
)

// The variables of a credential that name a file or a folder, and those of the host's identity.
const (
	tokenVariable     = "AZURE_FEDERATED_TOKEN_FILE"
	terraformVariable = "ARM_OIDC_TOKEN_FILE_PATH"
	configVariable    = "AZURE_CONFIG_DIR" // az keeps the ID token and access tokens there
)

// environ returns the variables that hold no path: those of Microsoft's libraries, and of
// Terraform's providers azurerm, azuread and azapi. AZURE_TOKEN_CREDENTIALS keeps the libraries
// from other identities, such as that of the host.
//
// https://learn.microsoft.com/azure/developer/go/sdk/authentication/credential-chains
// https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs/guides/service_principal_oidc
func (t Terms) environ() []creds.Variable {
	set := []creds.Variable{}
	add := func(value string, names ...string) {
		for _, name := range names {
			set = append(set, creds.Variable{Name: name, Value: mask.NewSecret(value)})
		}
	}
	add(t.Tenant, "AZURE_TENANT_ID", "ARM_TENANT_ID")
	add(t.Client, "AZURE_CLIENT_ID", "ARM_CLIENT_ID")
	add("WorkloadIdentityCredential", "AZURE_TOKEN_CREDENTIALS")
	add("true", "ARM_USE_OIDC")
	if t.Subscription != "" {
		add(t.Subscription, "AZURE_SUBSCRIPTION_ID", "ARM_SUBSCRIPTION_ID")
	}
	if t.Authority != defaultAuthority {
		add(t.Authority+"/", "AZURE_AUTHORITY_HOST")
	}
	if environment := t.cloud().environment; environment != "" {
		add(environment, "ARM_ENVIRONMENT")
	}
	return set
}

// sets returns the names of the variables that a credential brings.
func (t Terms) sets() []string {
	names := []string{tokenVariable, terraformVariable, configVariable}
	for _, v := range t.environ() {
		names = append(names, v.Name)
	}
	return names
}

// wins returns the names of job variables that would win over the credential, or lead it to
// another server.
func wins() []string {
	return append(identities(), "AZURE_AUTHORITY_HOST", "AZURE_REGIONAL_AUTHORITY_NAME", "AZURE_ADDITIONALLY_ALLOWED_TENANTS",
		"ARM_METADATA_HOST", "ARM_METADATA_HOSTNAME", "ARM_AUXILIARY_TENANT_IDS")
}

// identities returns the names of variables that say who somebody is in Azure: to Microsoft's
// libraries, to Terraform's providers and its backend azurerm, and to clients of managed
// identities.
//
// https://learn.microsoft.com/azure/developer/go/sdk/authentication/authentication-overview
// https://registry.terraform.io/providers/hashicorp/azurerm/latest/docs#argument-reference
// https://developer.hashicorp.com/terraform/language/backend/azurerm
func identities() []string {
	return []string{
		"AZURE_TENANT_ID", "AZURE_CLIENT_*", "AZURE_USERNAME", "AZURE_PASSWORD", tokenVariable, configVariable, "AZURE_TOKEN_CREDENTIALS",
		"ARM_TENANT_ID", "ARM_CLIENT_*", "ARM_USE_OIDC", "ARM_USE_MSI", "ARM_USE_CLI", "ARM_USE_AKS_WORKLOAD_IDENTITY", "ARM_OIDC_*", "ARM_MSI_*", "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
		"ARM_ACCESS_KEY", "ARM_SAS_TOKEN",
		"IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET",
	}
}
