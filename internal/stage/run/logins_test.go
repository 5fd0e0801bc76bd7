package run_test

import (
	"testing"

	"rolecall/test/toy"
)

// TestLogins: what logs in to a registry is masked, of a job without a tenant too, in the
// forms in which docker keeps it.
func TestLogins(t *testing.T) {
	t.Parallel()
	const auth = "dTpvZiBhIHZhcmlhYmxl" // u:of a variable
	for _, tenant := range []string{"alpha", ""} {
		c := newCall(t, tenant, "cleanup_file_variables")
		c.environ = append(c.environ, `CUSTOM_ENV_DOCKER_AUTH_CONFIG={"auths":{"r":{"auth":"`+auth+`"}}}`,
			"CUSTOM_ENV_CI_REGISTRY_USER=u", "CUSTOM_ENV_CI_REGISTRY_PASSWORD=of the job")
		c.write(t, "script", "of a variable, "+auth+", of the job, dTpvZiB0aGUgam9i, dTpv\n")
		want := result{out: "PATH=/bin\nAWS_EC2_METADATA_DISABLED=true\n[MASKED], [MASKED], [MASKED], [MASKED], dTpv\n"}
		if got := c.with(&toy.Backend{}); got != want {
			t.Errorf("tenant %q: %+v, want %+v", tenant, got, want)
		}
	}
}
