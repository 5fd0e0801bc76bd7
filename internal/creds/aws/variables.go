package aws

import (
	"strings"

	"rolecall/internal/creds"
)

// The variables from which AWS's SDKs and tools read credentials.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/environment-variables.html
const (
	accessKeyID     = "AWS_ACCESS_KEY_ID"
	secretAccessKey = "AWS_SECRET_ACCESS_KEY" //nolint:gosec // the name of a variable
	sessionToken    = "AWS_SESSION_TOKEN"     //nolint:gosec // the name of a variable
	expiration      = "AWS_CREDENTIAL_EXPIRATION"
)

// configFile is the file with the profiles of tools, below HOME.
const configFile = ".aws/config"

// prefix begins the name of each setting of AWS's SDKs and tools.
const prefix = "AWS_"

// metadataOff is an entry NAME=value for a script's environment. Without it, an SDK would
// use the host's own role if the job's credentials are missing or expired.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-imds-credentials.html
const metadataOff = "AWS_EC2_METADATA_DISABLED=true"

// Scripts is AWS as far as it concerns what scripts see.
type Scripts struct{}

// Hides returns AWS_*: the settings of the host are not the job's.
func (Scripts) Hides() []string { return []string{prefix + "*"} }

// Name returns the name of AWS as a provider.
func (Scripts) Name() string { return Name }

// Tells is Tells of the package.
func (Scripts) Tells(facts creds.Facts) (who string, notes []string) { return Tells(facts) }

// Settings is the function Settings.
func (Scripts) Settings() []string { return Settings() }

// Guards returns the variable that turns the metadata service off.
func (Scripts) Guards() []string { return []string{metadataOff} }

// ToolFiles is the function ToolFiles.
func (Scripts) ToolFiles() []creds.ToolFile { return ToolFiles() }

// ToolFiles returns the files in which AWS's SDKs and tools look for profiles and keys, and
// to which "aws configure set" writes.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/file-location.html
func ToolFiles() []creds.ToolFile {
	return []creds.ToolFile{
		{Variable: "AWS_CONFIG_FILE", Value: configFile, File: configFile},
		{Variable: "AWS_SHARED_CREDENTIALS_FILE", Value: ".aws/credentials", File: ".aws/credentials"},
	}
}

// Settings returns the AWS_ variables of a service's environment that a client of STS obeys.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func Settings() []string {
	return []string{
		"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_CA_BUNDLE",
		"AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
	}
}

// IsVariable reports whether name, the name of a variable or an entry NAME=value, is a
// setting of AWS's SDKs and tools. The names of all of them begin with AWS_.
//
// https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html
func IsVariable(name string) bool { return strings.HasPrefix(name, prefix) }

// Overrides reports whether a job's variable would be used instead of the credentials.
// The runner's script exports the job's variables after the driver has set its own, so
// the job's would win. A job may choose its region.
func Overrides(name string) bool {
	switch name {
	case accessKeyID, secretAccessKey, sessionToken, expiration,
		"AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_FILE",
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE",
		"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE",
		"AWS_ROLE_ARN", "AWS_ROLE_SESSION_NAME", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CA_BUNDLE":
		return true
	}
	for _, family := range []string{"AWS_ENDPOINT_URL", "AWS_CONTAINER_", "AWS_EC2_METADATA_"} {
		if strings.HasPrefix(name, family) {
			return true
		}
	}
	return false
}
