package gcp

// The variables of a credential.
const (
	adcVariable      = "GOOGLE_APPLICATION_CREDENTIALS"         // for Google's libraries, and Terraform
	overrideVariable = "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE" // for gcloud, which does not read the first
	configVariable   = "CLOUDSDK_CONFIG"                        // gcloud keeps access tokens there
	universeVariable = "GOOGLE_CLOUD_UNIVERSE_DOMAIN"           // for Google's libraries
	gcloudUniverse   = "CLOUDSDK_CORE_UNIVERSE_DOMAIN"          // for gcloud
	terraformProject = "GOOGLE_PROJECT"                         // Terraform's own, before the others
	metadataOff      = "CLOUDSDK_CORE_CHECK_GCE_METADATA=false" // for gcloud
	metadataOffJava  = "NO_GCE_CHECK=true"                      // for Google's library for Java
	metadataOffNode  = "METADATA_SERVER_DETECTION=none"         // for Google's library for Node.js
)

// projectVariables are the variables by which tools find the project of a job, as Google's action
// for GitHub sets them.
//
// https://github.com/google-github-actions/auth#outputs
func projectVariables() []string {
	return []string{"CLOUDSDK_CORE_PROJECT", "CLOUDSDK_PROJECT", "GCLOUD_PROJECT", "GCP_PROJECT", "GOOGLE_CLOUD_PROJECT"}
}

// sets returns the names of the variables that a credential brings.
func (t Terms) sets() []string {
	names := []string{adcVariable, overrideVariable, configVariable}
	if t.Universe != defaultUniverse {
		names = append(names, universeVariable, gcloudUniverse)
	}
	if t.Project != "" {
		names = append(names, projectVariables()...)
	}
	return names
}

// wins returns the names of job variables that would win over the credential.
func (t Terms) wins() []string {
	names := append(identities(), "CLOUDSDK_API_ENDPOINT_OVERRIDES_*", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", universeVariable, gcloudUniverse)
	if t.Project != "" {
		names = append(names, terraformProject)
	}
	return names
}

// identities returns the names of variables that say who somebody is in Google Cloud: to
// libraries, gcloud, Terraform and its backend gcs, and to the libraries for Ruby.
//
// https://cloud.google.com/sdk/docs/properties
// https://registry.terraform.io/providers/hashicorp/google/latest/docs/guides/provider_reference
// https://developer.hashicorp.com/terraform/language/backend/gcs
// https://github.com/googleapis/google-cloud-ruby
func identities() []string {
	return []string{
		adcVariable, "CLOUDSDK_AUTH_*", configVariable, "CLOUDSDK_ACTIVE_CONFIG_NAME", "CLOUDSDK_CORE_ACCOUNT",
		"GOOGLE_CREDENTIALS", "GOOGLE_CLOUD_KEYFILE_JSON", "GCLOUD_KEYFILE_JSON", "GOOGLE_OAUTH_*", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
		"GOOGLE_BACKEND_CREDENTIALS", "GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT",
		"GOOGLE_CLOUD_CREDENTIALS", "GOOGLE_CLOUD_CREDENTIALS_JSON", "GOOGLE_CLOUD_KEYFILE", "GCLOUD_KEYFILE",
		"GCE_METADATA_*",
	}
}
