package registry_test

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"rolecall/internal/fault"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// redirect sends a part of all requests to another server.
func redirect(part, to string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, part) {
			return false
		}
		http.Redirect(w, r, to+r.URL.Path+"?X-Signature=SECRET", http.StatusTemporaryRedirect)
		return true
	}
}

// storage starts a server that gives out what a registry has, without a login, and fails
// the test if it gets one.
func storage(t *testing.T, r *lab.Registry) *httptest.Server {
	t.Helper()
	there, err := url.Parse("http://" + r.Address)
	kit.Must(t, err)
	proxy := httputil.NewSingleHostReverseProxy(there)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("another host gets the login: %v", r.Header)
		}
		r.SetBasicAuth(lab.RegistryUser, lab.RegistryPassword)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server
}

// TestRedirect: content may come from another host, which does not get the login, and
// nothing else may.
func TestRedirect(t *testing.T) {
	t.Parallel()
	real := start(t, lab.RegistryOptions{})
	digest := push(t, real, "team/tool:1", newImage(t, "linux", "amd64", ""))
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("the redirect was followed: %s", r.URL) }))
	t.Cleanup(elsewhere.Close)
	host := strings.TrimPrefix(elsewhere.URL, "http://")
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "SECRET", http.StatusForbidden) }))
	t.Cleanup(refusing.Close)
	for name, test := range map[string]struct {
		does func(http.ResponseWriter, *http.Request) bool
		wanted
	}{
		"content":                   {redirect(blobs, storage(t, real).URL), wanted{}},
		"manifests":                 {redirect(manifests, elsewhere.URL), wanted{fault.NoImage, "is not the registry of the image: it sends requests to " + host, map[string]string{"tries": "", "login": "DOCKER_AUTH_CONFIG"}}},
		"all":                       {redirect("/v2/", elsewhere.URL), wanted{fault.NoImage, "is not the registry of the image: it sends requests to " + host, nil}},
		"content, is refused there": {redirect(blobs, refusing.URL), wanted{fault.NoRegistry, "which answers with HTTP status 403", map[string]string{"tries": "3"}}},
		"content, for ever":         {func(w http.ResponseWriter, r *http.Request) bool { return redirect(blobs, "http://"+r.Host)(w, r) }, wanted{fault.NoImage, " again and again", nil}},
		"content, over http":        {redirect(blobs, "http://registry.example.com"), wanted{fault.NoRegistry, "speaks http, and http is for loopback only", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := before(t, real, httptest.NewServer)
			f.does = test.does
			resolved, err := newClient().Resolve(t.Context(), f.name("team/tool:1"), "", good())
			if test.code != "" {
				test.check(t, err)
			} else if err != nil || resolved.Digest != digest {
				t.Errorf("%+v, %v", resolved, err)
			}
		})
	}
}

// TestNear: a redirect to the same host is followed, but not for ever.
func TestNear(t *testing.T) {
	t.Parallel()
	real := start(t, lab.RegistryOptions{Open: true})
	digest := push(t, real, "b/tool:1", newImage(t, "linux", "amd64", ""))
	f := before(t, real, httptest.NewServer)
	f.does = func(w http.ResponseWriter, r *http.Request) bool {
		if path := strings.Replace(r.URL.Path, "/a/", "/b/", 1); path != r.URL.Path {
			http.Redirect(w, r, path, http.StatusMovedPermanently)
			return true
		}
		return false
	}
	if resolved, err := newClient().Resolve(t.Context(), f.name("a/tool:1"), "", nil); err != nil || resolved.Digest != digest {
		t.Errorf("%+v, %v", resolved, err)
	}
}

// TestToken: a registry may send to a server for tokens. That server gets the login, and
// the registry the token. Its refusal is a refusal of the registry.
func TestToken(t *testing.T) {
	t.Parallel()
	real := start(t, lab.RegistryOptions{Open: true})
	digest := push(t, real, "team/tool:1", newImage(t, "linux", "amd64", ""))
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(lab.RegistryUser+":"+lab.RegistryPassword))
	for name, test := range map[string]struct {
		status int
		body   string
		wanted
	}{
		"good":    {200, `{"token":"SECRET"}`, wanted{}},
		"401":     {401, "SECRET", wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"answer": "HTTP status 401", "tries": ""}}},
		"403":     {403, `{"errors":[{"code":"DENIED","message":"SECRET"}]}`, wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"answer": "HTTP status 403 DENIED"}}},
		"500":     {500, "SECRET", wanted{fault.NoRegistry, "HTTP status 500", map[string]string{"tries": "3"}}},
		"none":    {200, `{"no":"SECRET"}`, wanted{fault.NoRegistry, "answers with something else", map[string]string{"tries": "3"}}},
		"of use":  {200, `{"token":"BAD"}`, wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"answer": "HTTP status 401"}}},
		"garbage": {200, `SECRET`, wanted{fault.NoRegistry, "answers with something else", nil}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := before(t, real, httptest.NewServer)
			f.does = func(w http.ResponseWriter, r *http.Request) bool {
				got := r.Header.Get("Authorization")
				if r.URL.Path == "/token" {
					if got != basic || r.URL.Query().Get("scope") != "repository:team/tool:pull" {
						t.Errorf("the server for tokens got %q, %s", got, r.URL)
					}
					return answer("", test.status, test.body)(w, r)
				}
				if got == "Bearer SECRET" {
					return false
				}
				return answer("", 401, "", "WWW-Authenticate", `Bearer realm="`+f.URL+`/token",service="x"`)(w, r)
			}
			resolved, err := newClient().Resolve(t.Context(), f.name("team/tool:1"), "", good())
			if test.code != "" {
				test.check(t, err)
			} else if err != nil || resolved.Digest != digest {
				t.Errorf("%+v, %v", resolved, err)
			}
		})
	}
}

// gateway is a proxy that connects every CONNECT to one address.
type gateway struct {
	address string
	asked   atomic.Value // the last request
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.asked.Store(r.Method + " " + r.Host)
	there, err := net.Dial("tcp", g.address)
	if err != nil || r.Method != http.MethodConnect {
		http.Error(w, "no", http.StatusBadGateway)
		return
	}
	defer func() { _ = there.Close() }()
	w.WriteHeader(http.StatusOK)
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer func() { _ = here.Close() }()
	go func() { _, _ = io.Copy(there, here) }()
	_, _ = io.Copy(here, there)
}

// TestProxy: a registry of another host is reached by the proxy of the service, over
// https, with the CAs of the bundle. It cannot send requests to this host. The test runs in
// a child, since a process reads the variables of proxies only once.
func TestProxy(t *testing.T) {
	if !kit.InChild(t, nil) {
		return
	}
	g := new(gateway)
	proxy := httptest.NewServer(g)
	t.Cleanup(proxy.CloseClientConnections)
	t.Setenv("HTTPS_PROXY", strings.Replace(proxy.URL, "http://", "http://user:SECRET@", 1))
	t.Setenv("HTTP_PROXY", proxy.URL)
	real := start(t, lab.RegistryOptions{})
	digest := push(t, real, "team/tool:1", newImage(t, "linux", "amd64", ""))
	f := before(t, real, httptest.NewTLSServer)
	g.address = f.Listener.Addr().String()
	client := newClient()
	client.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	const name = "example.com/team/tool:1"
	f.does = func(http.ResponseWriter, *http.Request) bool { return false }
	resolved, err := client.Resolve(t.Context(), name, "", good())
	if err != nil || resolved.Digest != digest || g.asked.Load() != "CONNECT example.com:443" {
		t.Errorf("%+v, %v, by %v", resolved, err, g.asked.Load())
	}
	local := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("this host was asked: %s", r.URL) }))
	t.Cleanup(local.Close)
	for to, want := range map[string]wanted{
		local.URL: {fault.NoRegistry, "does not answer", nil}, // the library refuses it
		strings.Replace(local.URL, "127.0.0.1", "localhost", 1): {fault.NoImage, "it sends requests to localhost:", nil},
		"http://storage.example.com":                            {fault.NoRegistry, "speaks http", nil},
	} {
		f.does = redirect(blobs, to)
		_, err = client.Resolve(t.Context(), name, "", good())
		want.check(t, err)
	}
}

// TestSecure: a registry on this host that speaks https is not asked over http, whatever
// goes wrong.
func TestSecure(t *testing.T) {
	t.Parallel()
	real := start(t, lab.RegistryOptions{})
	digest := push(t, real, "team/tool:1", newImage(t, "linux", "amd64", ""))
	f := before(t, real, httptest.NewTLSServer)
	f.does = first(1, answer("", 500, ""))
	client := newClient()
	client.CABundle = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	resolved, err := client.Resolve(t.Context(), f.name("team/tool:1"), "", good())
	if err != nil || resolved.Digest != digest {
		t.Errorf("%+v, %v", resolved, err)
	}
	f.does = redirect("/v2/", "http://"+f.Listener.Addr().String())
	_, err = client.Resolve(t.Context(), f.name("team/tool:1"), "", good())
	wanted{fault.NoRegistry, "speaks http", nil}.check(t, err)
	f.asked.Store(0)
	f.does = redirect(manifests, "http://"+f.Listener.Addr().String()) // it comes over https again
	_, err = client.Resolve(t.Context(), f.name("team/tool:1"), "", good())
	wanted{fault.NoImage, "it sends requests to " + f.Listener.Addr().String() + " again and again", nil}.check(t, err)
	if n := f.asked.Load(); n > 10 {
		t.Errorf("%d redirects were followed", n)
	}
}
