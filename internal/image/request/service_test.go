package request_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/image/request"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// TestTokenOfJobIsNotShown: a variable that may be shown, and holds an ID token of the job,
// does not reach a service.
func TestTokenOfJobIsNotShown(t *testing.T) {
	t.Parallel()
	token := encode(`{"alg":"RS256"}`) + "." + encode(`{"job_id":"7","project_id":"42","job_project_id":"42"}`) + ".c2ln"
	r := job.Response{
		Key: job.Key{ID: 7}, Project: 42, Services: []job.Container{{Name: "a"}},
		Variables: []job.Variable{{Key: "T", Value: "$TOKEN", Public: true}, {Key: "A", Public: true}, {Key: "not a name", Public: true}},
	}
	got, err := request.Read(r, job.Request{"T": token, "A": "a", "not a name": "x"})
	kit.Must(t, err)
	if diff := cmp.Diff([]string{"A=a"}, got.Services[0].Variables); diff != "" {
		t.Error(diff)
	}
}

// TestAliases are those that GitLab Runner makes: helpers/container/services.
func TestAliases(t *testing.T) {
	t.Parallel()
	const hex = "@sha256:123456789012345678901234567890123456789012345678901234567890abcd"
	for name, want := range map[string]string{
		"service": "service", "namespace/service": "namespace__service namespace-service",
		"domain.tld/service": "domain.tld__service domain.tld-service", "domain.tld/namespace/service": "domain.tld__namespace__service domain.tld-namespace-service",
		"domain.tld:8080/service": "domain.tld__service domain.tld-service", "sub.domain.tld:8080/namespace/service": "sub.domain.tld__namespace__service sub.domain.tld-namespace-service",
		"localhost": "localhost",
	} {
		for _, version := range []string{"", ":version", hex} {
			got, err := request.Read(job.Response{Services: []job.Container{{Name: name + version}}}, nil)
			kit.Must(t, err)
			if aliases := strings.Join(got.Services[0].Aliases, " "); aliases != want {
				t.Errorf("%s: aliases %q, want %q", name+version, aliases, want)
			}
		}
	}
}

// TestAuthConfig: of DOCKER_AUTH_CONFIG only the logins in it are read, and no program that
// it names is started.
func TestAuthConfig(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"auths":{"https://index.docker.io/v1/":{"auth":"dTpwOng="},"R.example.com:5000/Group/":{"username":"a","password":"b"}}}`: "r.example.com:5000/Group a b, docker.io u p:x",
		`{"auths":{}}`: "", ``: "", `{"auths":{"r.example.com":{}},"credHelpers":{"x":"y"}}`: "r.example.com  ",
		`{"credHelpers":{"x":"../../evil"}}`: "not started here", `{"credsStore":"evil"}`: "not started here",
		`x`: "not the JSON", `{"auths":[]}`: "not the JSON", `{"auths":{"a":{"auth":"!"}}}`: "not the base64", `{"auths":{"a":{"auth":"dQ=="}}}`: "not the base64",
		`{"auths":{"a":{"auth":"dTpwOng!"}}}`: "not the base64", `{"auths":{"HTTP://a.example.com/v2/":{"username":"u","password":"p"}}}`: "a.example.com u p",
	} {
		got, err := request.Read(job.Response{Image: job.Container{Name: "a"}}, job.Request{"DOCKER_AUTH_CONFIG": text})
		kit.Must(t, err)
		var all []string
		for _, l := range got.Logins {
			all = append(all, fmt.Sprint(l.Host, " ", l.Username, " ", l.Password.Reveal()))
		}
		seen := strings.Join(all, ", ")
		if why := got.NoAuthConfig; why != nil {
			seen = why.Error()
			if strings.Contains(seen, "dQ") {
				t.Errorf("the error quotes a login: %v", why)
			}
		}
		if !strings.Contains(seen, want) || want == "" && seen != "" {
			t.Errorf("%s: %q, want %q", text, seen, want)
		}
	}
	many := `{"auths":{"a0":{}` + strings.Repeat(`,"r%d":{}`, 101) + "}}"
	for i := range 101 {
		many = strings.Replace(many, "%d", fmt.Sprint(i), 1)
	}
	if got, _ := request.Read(job.Response{}, job.Request{"DOCKER_AUTH_CONFIG": many}); got.NoAuthConfig == nil {
		t.Error("102 logins are read")
	}
}
