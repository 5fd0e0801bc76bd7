package e2e_test

import (
	"testing"
)

// TestTokenOfBroker: a job of the driver may have an ID token under the name that a broker is
// asked with. It works with the credentials that the driver gives, in the environment or by an
// endpoint, and the token is masked.
func TestTokenOfBroker(t *testing.T) {
	t.Parallel()
	for delivery, settings := range map[string]string{"env": "", "endpoint": renewing} {
		t.Run(delivery, func(t *testing.T) {
			t.Parallel()
			p := newIsolatedWorld(t)
			p.serveAs(t, settings, "")
			job := p.alpha(p.s3("put alpha key text"), p.s3("get alpha key"), `echo "it is $AWS_CONTAINER_AUTHORIZATION_TOKEN"`)
			job.IDTokens["AWS_CONTAINER_AUTHORIZATION_TOKEN"] = "https://rolecall.example.com"
			log := p.succeed(t, sharedToken, job)
			contains(t, log, "\ntext", "it is [MASKED]")
		})
	}
}
