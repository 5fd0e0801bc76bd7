package aws_test

import (
	"strings"
	"testing"

	"rolecall/internal/creds/aws"
)

func TestOverrides(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION",
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CREDENTIAL_FILE", "AWS_ROLE_ARN",
		"AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_S3",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
		"AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT",
	} {
		if !aws.Overrides(name) {
			t.Errorf("a job may set %s", name)
		}
	}
	for _, name := range []string{
		"", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_DEFAULT_OUTPUT", "AWS_PAGER", "AWS_MAX_ATTEMPTS", "ROLE_ARN", "TENANT",
		"MY_AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID_2", "aws_profile", "GITLAB_OIDC_TOKEN", "AWS_ACCOUNT_ID",
	} {
		if aws.Overrides(name) {
			t.Errorf("a job may not set %s", name)
		}
	}
}

// TestHides: the settings of the host that scripts do not get are those that IsVariable
// knows.
func TestHides(t *testing.T) {
	t.Parallel()
	hidden := aws.Scripts{}.Hides()
	if len(hidden) != 1 || !strings.HasSuffix(hidden[0], "*") || !aws.IsVariable(strings.TrimSuffix(hidden[0], "*")) {
		t.Errorf("hidden are %q", hidden)
	}
}

func TestIsVariable(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"AWS_REGION": true, "AWS_PROFILE=host": true, "AWS_": true, aws.Scripts{}.Guards()[0]: true,
		"": false, "AWS": false, "MY_AWS_REGION": false, "aws_region": false, "A=AWS_REGION": false,
	} {
		if got := aws.IsVariable(name); got != want {
			t.Errorf("IsVariable(%q) = %v, want %v", name, got, want)
		}
	}
}
