package handover

import (
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/creds"
)

// taken returns which of the names, or of their beginnings, that no job may hand over covers a name; it is
// empty if none does. What such a variable says changes which code later scripts run, which servers
// they trust, or who they are. A_* is all that begin with A_. A value can come from outside, such as
// the name of a branch.
func taken(name string) string {
	for _, pattern := range [...]string{
		// of GitLab, its runner and the driver
		"CI", "CI_*", "GITLAB_*", "RUNNER_*", "ROLECALL_*", "CUSTOM_ENV_*", "FF_*", "TENANT", "JOB_RESPONSE_FILE",
		// of whom the scripts are, in clouds and stores
		"AWS_*", "VAULT_*", "BAO_*", "GOOGLE_*", "CLOUDSDK_*", "AZURE_*", "ARM_*", "KUBECONFIG", "DOCKER_*",
		// of tools that run other programs
		"GIT_*", "SSH_*", "EDITOR", "VISUAL", "PAGER", "BROWSER", "MAKEFLAGS", "MAKEFILES", "MAKEOVERRIDES", "USER", "LOGNAME",
		// of interpreters, and where they find code
		"NODE_*", "NPM_*", "npm_*", "PYTHON*", "PIP_*", "PERL*", "RUBY*", "GEM_*", "BUNDLE_*", "JAVA_*", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "MAVEN_*", "GRADLE_*",
		"GOFLAGS", "GOPROXY", "GOPRIVATE", "GONOSUMDB", "GOSUMDB", "GOROOT", "GOPATH", "GOENV", "GOTOOLCHAIN", "CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS",
		"CARGO_*", "RUSTC*", "RUSTFLAGS", "PHP_*", "LUA_*", "DOTNET_*", "PROMPT*", "ZDOTDIR", "FPATH", "fpath",
		"TF_CLI_*", "TF_PLUGIN_*", "TF_REATTACH_PROVIDERS", "TERRAFORM_CONFIG", "ANSIBLE_*", "HELM_*",
		// of the way to servers
		"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy",
		"SSL_CERT_*", "SSLKEYLOGFILE", "CURL_*", "REQUESTS_CA_BUNDLE", "OPENSSL_*", "HOSTALIASES", "RES_OPTIONS", "LOCALDOMAIN", "MALLOC_*", "XDG_*", "LOCPATH", "NLSPATH", "TZDIR", "GNUPGHOME",
	} {
		if creds.Covers(pattern, name) {
			return pattern
		}
	}
	return ""
}

// CheckName fails unless a job may hand over a variable of that name. Providers are the names
// that the job's providers set or hide, as creds.Covers has them. The error has the name if it
// is one of a variable, and else nothing of it.
func CheckName(name string, providers []string) error {
	if err := creds.CheckVariable(name, "x"); err != nil {
		return err
	}
	if pattern := taken(name); pattern != "" {
		return fmt.Errorf("variable %s could change how a script or a tool runs%s", name, all(pattern))
	}
	if slices.ContainsFunc(providers, func(pattern string) bool { return creds.Covers(pattern, name) }) {
		return fmt.Errorf("variable %s belongs to the credentials of the tenant", name)
	}
	return nil
}

// all says that a pattern has refused a name, and not the name alone.
func all(pattern string) string {
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return ", as all that begin with " + begin
	}
	return ""
}
