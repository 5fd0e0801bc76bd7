package request_test

import (
	"fmt"
	"runtime"
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
		"localhost": "localhost", "[::1]:5000/service": "", "[::1]/service": "",
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

// TestExpanded: what a name after $ stands for is what GitLab Runner has it stand for.
func TestExpanded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"a$$b": "a$b", "$1": "", "${1}": "", "${12}": "twelve", "$A": "a", "${}": "", "$*": ""} {
		service := job.Container{Name: "a", Variables: []job.Variable{{Key: "V", Value: text}}}
		got, err := request.Read(job.Response{Services: []job.Container{service}}, job.Request{"1": "one", "12": "twelve", "A": "a", "*": "all"})
		if err != nil || got.Services[0].Variables[0] != "V="+want {
			t.Errorf("%s: %+v, %v, want %q", text, got.Services, err, want)
		}
	}
}

// TestMuchExpanded: once too much was expanded, nothing is, and it is an error, wherever in a
// job that happens.
func TestMuchExpanded(t *testing.T) {
	const half = 1 << 19
	variables := job.Request{"HALF": strings.Repeat(" ", half), "LESS": strings.Repeat(" ", half-20), "NAME": "r.example.com/x"}
	before := allocated()
	_, err := request.Read(job.Response{Services: []job.Container{{Name: "a", Alias: strings.Repeat("$HALF", 200)}}}, variables)
	checkBad(t, err, "its variables have more than 1 MiB")
	if used := allocated() - before; used > 50*half {
		t.Errorf("it needs %d bytes", used)
	}
	_, err = request.Read(job.Response{Services: []job.Container{{Name: "a", Alias: "$HALF$LESS"}, {Name: "$NAME"}}}, variables)
	checkBad(t, err, "its variables have more than 1 MiB")
}

// allocated returns how many bytes this process has allocated.
func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
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
