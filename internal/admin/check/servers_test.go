package check_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/admin/check"
	"rolecall/test/kit"
)

// TestClock asks servers whose clocks are wrong.
func TestClock(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		skew  time.Duration
		state check.State
	}{{0, check.OK}, {3 * time.Second, check.OK}, {-20 * time.Second, check.Look}, {30 * time.Second, check.Look}, {-2 * time.Minute, check.Fix}, {time.Hour, check.Fix}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Date", time.Now().Add(c.skew).UTC().Format(http.TimeFormat))
			http.Redirect(w, &http.Request{}, "http://192.0.2.1/", http.StatusFound) // that is never followed
		}))
		defer server.Close()
		h := newHost(t)
		inPolicy("STS", server.URL)(t, h)
		named(t, h.check(t), want{c.state, "clock", server.URL[len("http://"):]}, want{check.OK, "STS", server.URL})
	}
}

// TestClockBounds: 5 seconds are nothing, and ID tokens are refused after a minute. A server that
// does not tell its time is no judge.
func TestClockBounds(t *testing.T) {
	t.Parallel()
	server := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for seconds, want := range map[int]check.State{5: check.OK, -5: check.OK, 6: check.Look, 60: check.Look, -60: check.Look, 61: check.Fix, -61: check.Fix} {
		got := check.CheckClock(server.Format(http.TimeFormat), server.Add(time.Duration(seconds)*time.Second))
		if len(got) != 1 || got[0].State != want {
			t.Errorf("after %d s: %+v, want %s", seconds, got, want)
		}
	}
	if got := check.CheckClock("", server); got != nil {
		t.Errorf("of no time: %+v", got)
	}
}

// TestEndpoints: without an endpoint in the policy file, STS is asked in the region of each tenant, or
// else in that of the runner's service, or else in one of the role's partition. Of an unknown partition nothing is known.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	inPolicy("endpoint = \"STS\"", "")(t, h)
	inPolicy("name = \"beta\"", "name = \"beta\"\nregion = \"eu-central-1\"")(t, h)
	for name, arn := range map[string]string{"gamma": "arn:aws-cn:iam::111122223333:role/x", "delta": "arn:aws-x:iam::111122223333:role/x", "omega": "arn:aws:iam::111122223333:role/x"} {
		h.policy += "[[tenant]]\nname = \"" + name + "\"\nrole_arn = \"" + arn + "\"\naudience = \"https://x.example\"\nprojects = [\"acme/x\"]\n"
	}
	h.write(t, "etc/rolecall.toml", h.policy, 0o600)
	got := check.Endpoints(h.Host)
	slices.Sort(got)
	want := []string{"https://sts.cn-north-1.amazonaws.com.cn", "https://sts.eu-central-1.amazonaws.com", "https://sts.us-east-1.amazonaws.com"}
	if !slices.Equal(got, want) {
		t.Errorf("STS is asked at %q, want %q", got, want)
	}
	process("0", takesJobs, "AWS_REGION=eu-west-1")(t, h)
	if got := check.Endpoints(h.Host); !slices.Contains(got, "https://sts.eu-west-1.amazonaws.com") || slices.Contains(got, want[2]) {
		t.Errorf("with a region of the service STS is asked at %q", got)
	}
	kit.Must(t, os.RemoveAll(h.inDir("@/proc/77")))
	process("0", takesJobs, "AWS_REGION=eu-west-1 AWS_ENDPOINT_URL_STS=https://sts.example.com")(t, h)
	if got := check.Endpoints(h.Host); !slices.Equal(got, []string{"https://sts.example.com"}) {
		t.Errorf("with an endpoint of the service STS is asked at %q", got)
	}
}

// answerOf returns what a server answers.
func answerOf(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	kit.Must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	kit.Must(t, err)
	return string(body)
}

// slashed returns the name of an issuer that ends with a slash, and has the keys of the host's GitLab.
func slashed(t *testing.T, h *host) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": "http://%s/", "jwks_uri": "%s/oauth/discovery/keys"}`, r.Host, h.gitlab.URL())
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

// TestProxy: servers on the network are asked by a proxy, STS by that of the policy file. A proxy
// that refuses is told.
func TestProxy(t *testing.T) {
	if !kit.InChild(t, nil) { // the proxy of the environment is read once
		return
	}
	asked := make(chan string, 9)
	proxy := func(name string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- name + " " + r.Method + " " + r.Host
			w.WriteHeader(http.StatusBadGateway)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	t.Setenv("HTTPS_PROXY", proxy("environment"))
	h := newHost(t)
	inPolicy(`endpoint = "STS"`, "endpoint = \"https://sts.example\"\nproxy = \""+proxy("policy file")+"\"")(t, h)
	inRunners(`url = "GITLAB"`, `url = "https://gitlab.example"`)(t, h)
	named(t, h.check(t), want{check.Fix, "STS", "sts.example"}, want{check.Fix, "GitLab", "gitlab.example"})
	var got []string
	for range len(asked) { // all that the check has asked: it has ended
		got = append(got, <-asked)
	}
	slices.Sort(got)
	if want := []string{"environment CONNECT gitlab.example:443", "policy file CONNECT sts.example:443"}; !slices.Equal(got, want) {
		t.Errorf("the proxies are asked %q, want %q", got, want)
	}
}

// TestSystemAuthorities: the CAs of the system count, and where they cannot be read those of the policy
// file still do.
func TestSystemAuthorities(t *testing.T) {
	for name, test := range map[string]struct{ system, bundle string }{
		"of the system":   {"DIR/etc/ca.pem", ""},
		"not of a system": {"/", "ca_bundle = \"DIR/etc/ca.pem\"\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if !kit.InChild(t, nil) { // the CAs are read once
				return
			}
			server := httptest.NewTLSServer(http.NotFoundHandler())
			defer server.Close()
			h := newHost(t)
			h.write(t, "etc/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o644)
			t.Setenv("SSL_CERT_FILE", h.expand(test.system))
			t.Setenv("SSL_CERT_DIR", "/none")
			inPolicy("endpoint = \"STS\"", test.bundle+"endpoint = \""+server.URL+"\"")(t, h)
			named(t, h.check(t), want{check.OK, "STS", server.URL})
		})
	}
}

// TestAuthority asks servers whose certificates no CA of the system vouches for.
func TestAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of handshakes that are to fail
	server.StartTLS()
	defer server.Close()
	h := newHost(t)
	inPolicy("STS", server.URL)(t, h)
	inRunners("GITLAB", server.URL)(t, h)
	named(t, h.check(t), want{check.Fix, "STS", "certificate is not trusted"}, want{check.Fix, "GitLab", "certificate is not trusted"})

	h = newHost(t)
	h.write(t, "etc/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o644)
	inPolicy("endpoint = \"STS\"", "endpoint = \""+server.URL+"\"\nca_bundle = \"DIR/etc/ca.pem\"")(t, h)
	inRunners("url = \"GITLAB\"", "url = \""+server.URL+"\"\ntls-ca-file = \"DIR/etc/ca.pem\"")(t, h)
	findings := h.check(t)
	named(t, findings, want{check.OK, "STS", server.URL}, want{check.OK, "sts.ca_bundle", "ca.pem"})
	if check.Bad(findings) {
		t.Errorf("a CA that is named does not count:\n%s", text(findings))
	}

	h = newHost(t)
	h.write(t, "etc/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})), 0o644)
	inPolicy("[gitlab]", "[gitlab]\nca_bundle = \"DIR/etc/ca.pem\"")(t, h)
	inRunners("url = \"GITLAB\"", "url = \""+server.URL+"\"")(t, h)
	named(t, h.check(t), want{check.OK, "clock", server.URL[len("https://"):]}, want{check.OK, "clock", h.gitlab.URL()[len("http://"):]}) // of the issuer
}

// TestSilence checks that a server which takes a request and says nothing costs 5 s
// and no more.
func TestSilence(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	address := "http://" + silent.Addr().String()
	h := newHost(t)
	h.policy = strings.NewReplacer(h.sts.URL(), address, h.gitlab.URL(), address).Replace(h.policy)
	h.runners = strings.ReplaceAll(h.runners, h.gitlab.URL(), address)
	begin := time.Now()
	findings := h.check(t)
	if took := time.Since(begin); took > 9*time.Second {
		t.Errorf("it took %v", took)
	}
	named(t, findings, want{check.Fix, "STS", "no answer in time"}, want{check.Fix, "GitLab", "no answer in time"}, want{check.Fix, "issuer's keys", ""})
}
