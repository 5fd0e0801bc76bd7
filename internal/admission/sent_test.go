package admission_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"rolecall/internal/admission"
	"rolecall/internal/job"
)

// jwt returns a text in the form of an ID token of a job of project 42.
func jwt(id int) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode(fmt.Appendf(nil, `{"job_id":"%d","project_id":"42"}`, id)) + ".c2ln"
}

// TestSent: the variable whose value SDKs send may have an ID token of this very job, for a
// broker. Anything else there would win over the token of the job's endpoint.
func TestSent(t *testing.T) {
	t.Parallel()
	const name = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
	for what, test := range map[string]struct {
		variable, value string
		sent            []string
		allowed         bool
	}{
		"the job's":           {name, jwt(7), []string{jwt(7)}, true},
		"of another job":      {name, jwt(8), nil, false},
		"no token":            {name, "hunter2", nil, false},
		"empty":               {name, "", nil, false},
		"two values":          {name, jwt(7), []string{jwt(7), "hunter2"}, false},
		"in another variable": {"AWS_CONTAINER_CREDENTIALS_FULL_URI", jwt(7), nil, false},
		"as a key":            {"AWS_ACCESS_KEY_ID", jwt(7), nil, false},
	} {
		c := newCase(t, job.Request{test.variable: test.value, "TENANT": "alpha"})
		for _, value := range test.sent {
			c.Response.Variables = append(c.Response.Variables, job.Variable{Key: test.variable, Value: value})
		}
		_, err := admission.Decide(c)
		if (err == nil) != test.allowed || err != nil && !strings.Contains(err.Error(), test.variable) {
			t.Errorf("%s: %v, want it allowed: %v", what, err, test.allowed)
		}
	}
}
