package registry_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/registry"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

const manifests, blobs = "/manifests/", "/blobs/"

// hang does not answer until the client goes away.
func hang(_ http.ResponseWriter, r *http.Request) bool {
	<-r.Context().Done()
	return true
}

// TestFaults: whose an error is depends on the status, and so does how often the registry
// is asked.
func TestFaults(t *testing.T) {
	t.Parallel()
	real := start(t, lab.RegistryOptions{Open: true})
	push(t, real, "tool:1", newImage(t, "linux", "amd64", ""))
	const denied = `{"errors":[{"code":"DENIED","message":"SECRET","detail":"SECRET"}]}`
	const v1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"
	never := func(http.ResponseWriter, *http.Request) bool { return false }
	for name, test := range map[string]struct {
		does  func(http.ResponseWriter, *http.Request) bool
		asked int32
		wanted
	}{
		"403":           {answer(manifests, 403, denied), 1, wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"answer": "HTTP status 403 DENIED", "tries": ""}}},
		"403 of all":    {answer("/v2/", 403, "SECRET"), 0, wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"answer": "HTTP status 403"}}},
		"404 of all":    {answer("/v2/", 404, "SECRET"), 0, wanted{fault.NoImage, "does not have the image", map[string]string{"answer": "HTTP status 404", "tries": ""}}},
		"404, says 500": {answer(manifests, 404, `{"errors":[{"code":"UNAVAILABLE"}]}`), 1, wanted{fault.NoImage, "does not have the image", map[string]string{"answer": "HTTP status 404 UNAVAILABLE"}}},
		"500, says 404": {answer(manifests, 500, `{"errors":[{"code":"MANIFEST_UNKNOWN"}]}`), 3, wanted{fault.NoRegistry, "answers with HTTP status 500", map[string]string{"answer": "HTTP status 500 MANIFEST_UNKNOWN", "tries": "3"}}},
		"no code":       {answer(manifests, 404, `{"errors":[{"code":"SECRET in small letters"}]}`), 1, wanted{fault.NoImage, "does not have the image", map[string]string{"answer": "HTTP status 404"}}},
		"400":           {answer(manifests, 400, ""), 1, wanted{fault.NoImage, "does not have the image", map[string]string{"answer": "HTTP status 400"}}},
		"429":           {answer(manifests, 429, "SECRET"), 3, wanted{fault.NoRegistry, "too many requests", map[string]string{"tries": "3", "answer": "HTTP status 429"}}},
		"408":           {answer(manifests, 408, ""), 3, wanted{fault.NoRegistry, "HTTP status 408", map[string]string{"tries": "3"}}},
		"503 of all":    {answer("/v2/", 503, "SECRET"), 0, wanted{fault.NoRegistry, "HTTP status 503", map[string]string{"tries": "3"}}},
		"503 of blobs":  {answer(blobs, 503, "SECRET"), 3, wanted{fault.NoRegistry, "HTTP status 503", map[string]string{"tries": "3"}}},
		"500, endless":  {endless(manifests, 500, "text/plain"), 3, wanted{fault.NoRegistry, "HTTP status 500", nil}},
		"204":           {answer(manifests, 204, ""), 3, wanted{fault.NoRegistry, "HTTP status 204", nil}},
		"schema 1":      {answer(manifests, 200, `{"schemaVersion":1}`, "Content-Type", v1), 1, wanted{fault.UnfitImage, "an old format that no engine runs any more: " + v1, map[string]string{"tries": ""}}},
		"a web page":    {answer(manifests, 200, "<html>SECRET", "Content-Type", "text/html; charset=utf-8"), 1, wanted{fault.UnfitImage, `is no image: its type is "text/html"`, nil}},
		"endless":       {endless(manifests, 200, "application/vnd.oci.image.manifest.v1+json"), 1, wanted{fault.UnfitImage, "longer than 4194304 bytes", map[string]string{"tries": ""}}},
		"endless ping":  {endless("/v2/", 200, "text/plain"), 1, wanted{fault.UnfitImage, "longer than 4194304 bytes", nil}},
		"not its blob":  {answer(blobs, 200, strings.Repeat("SECRET", 1000)), 3, wanted{fault.NoRegistry, "answers with something else", map[string]string{"tries": "3"}}},
		"control":       {never, 0, wanted{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := before(t, real, httptest.NewServer)
			f.does = test.does
			_, err := newClient().Resolve(t.Context(), f.name("tool:1"), "", nil)
			if test.code == "" {
				kit.Must(t, err)
				return
			}
			test.check(t, err)
			if got := f.asked.Load(); got != test.asked {
				t.Errorf("the registry was asked %d times, want %d", got, test.asked)
			}
		})
	}
}

// dated asks to wait by a date.
func dated(w http.ResponseWriter, r *http.Request) bool {
	return answer("", 503, "", "Retry-After", time.Now().Add(3*time.Second).UTC().Format(http.TimeFormat))(w, r)
}

// TestAgain: an error that passes is no error. The job is told of the wait.
func TestAgain(t *testing.T) {
	t.Parallel()
	real := start(t, lab.RegistryOptions{Open: true})
	push(t, real, "tool:1", newImage(t, "linux", "amd64", ""))
	for name, test := range map[string]struct {
		does func(http.ResponseWriter, *http.Request) bool
		wait time.Duration
		told string
	}{
		"500 once":          {first(1, answer("", 500, "")), 0, "answers with HTTP status 500; try 2 of 3 in 1s"},
		"500 twice":         {first(2, answer("", 500, "")), 0, "answers with HTTP status 500; try 3 of 3 in 1s"},
		"429, Retry-After":  {first(1, answer("", 429, "", "Retry-After", "2")), 2 * time.Second, "has had too many requests of this host or login; try 2 of 3 in 2s"},
		"503, a date":       {first(1, dated), time.Second, "answers with HTTP status 503; try 2 of 3 in "},
		"429, in the past":  {first(1, answer("", 429, "", "Retry-After", time.Unix(0, 0).UTC().Format(http.TimeFormat))), 0, "try 2 of 3 in 1s"},
		"429, not a number": {first(1, answer("", 429, "", "Retry-After", "SECRET")), 0, "try 2 of 3 in 1s"},
		"silent once":       {first(1, hang), 0, "does not answer: no answer in time; try 2 of 3 in 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := before(t, real, httptest.NewServer)
			f.does = test.does
			client, told := newClient(), ""
			client.Attempt = 2 * time.Second
			client.Notify = func(text string) { told = text }
			begin := time.Now()
			resolved, err := client.Resolve(t.Context(), f.name("tool:1"), "", nil)
			if took := time.Since(begin); err != nil || resolved.Digest == "" || took < test.wait || !strings.Contains(told, test.told) || !strings.HasPrefix(told, "the registry "+f.name("")[:9]) {
				t.Errorf("%+v, %v after %v; told %q, want %q", resolved, err, took, told, test.told)
			}
		})
	}
}

// TestTime: all tries and waits end with the context, and a wait that is longer is not begun.
func TestTime(t *testing.T) {
	t.Parallel()
	real := start(t, lab.RegistryOptions{Open: true})
	for name, test := range map[string]struct {
		does          func(http.ResponseWriter, *http.Request) bool
		time, atMost  time.Duration
		tries, refuse string
	}{
		"429 for an hour":                 {answer(manifests, 429, "", "Retry-After", "3600"), time.Minute, 5 * time.Second, "1; the registry asks to wait 1h0m0s", "too many requests"},
		"429 for an hour, without an end": {answer(manifests, 429, "", "Retry-After", "3600"), 0, 5 * time.Second, "1; the registry asks to wait 1h0m0s", "too many requests"},
		"429 for 136 years":               {answer(manifests, 429, "", "Retry-After", "4294967295"), time.Minute, 5 * time.Second, "1; the registry asks to wait 8760h0m0s", "too many requests"},
		"slow":                            {hang, 0, 5 * time.Second, "3", "no answer in time"},
		"slower than the context":         {hang, 200 * time.Millisecond, 3 * time.Second, "1", "no answer in time"},
	} {
		f := before(t, real, httptest.NewServer)
		f.does = test.does
		ctx, cancel := context.WithCancel(t.Context())
		if test.time > 0 {
			ctx, cancel = context.WithTimeout(t.Context(), test.time)
		}
		client := newClient()
		client.Attempt = 500 * time.Millisecond
		begin := time.Now()
		_, err := client.Resolve(ctx, f.name("tool:1"), "", nil)
		cancel()
		wanted{fault.NoRegistry, test.refuse, map[string]string{"tries": test.tries}}.check(t, err)
		if took := time.Since(begin); took > test.atMost {
			t.Errorf("%s: after %v", name, took)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := newClient()
	client.Notify = func(text string) { t.Errorf("told %q, though nobody waits", text) }
	_, err := client.Resolve(ctx, real.Name("tool:1"), "", nil)
	wanted{fault.NoRegistry, "does not answer: canceled", nil}.check(t, err)
}

// TestUnreachable: nobody listens, or TLS fails.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the registry was asked") }))
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(plain.Close)
	hangUp, err := net.Listen("tcp", "127.0.0.1:0")
	kit.Must(t, err)
	t.Cleanup(func() { _ = hangUp.Close() })
	var hungUp atomic.Int32
	go func() {
		for ; ; hungUp.Add(1) {
			connection, err := hangUp.Accept()
			if err != nil {
				return
			}
			_ = connection.Close()
		}
	}()
	for name, test := range map[string]struct{ address, want, tries string }{
		"refused":     {closed.Listener.Addr().String(), "does not answer: connection refused", "3"},
		"certificate": {secure.Listener.Addr().String(), "its certificate is not trusted: x509: certificate signed by unknown authority", ""},
		"aborts":      {plain.Listener.Addr().String(), "does not answer: the request did not go through", "3"},
		"hangs up":    {hangUp.Addr().String(), "does not answer: ", "3"},
	} {
		_, err := newClient().Resolve(t.Context(), test.address+"/tool:1", "", good())
		wanted{fault.NoRegistry, test.want, map[string]string{"tries": test.tries, "login": "DOCKER_AUTH_CONFIG"}}.check(t, err)
		if err == nil {
			t.Error(name)
		}
	}
	if n := hungUp.Load(); n != 3 {
		t.Errorf("the registry that hangs up was asked %d times, want 3", n)
	}
}

// TestCABundle: a bundle without a certificate is the admin's to correct.
func TestCABundle(t *testing.T) {
	t.Parallel()
	client := registry.NewClient()
	client.CABundle = []byte("no PEM")
	_, err := client.Resolve(t.Context(), "127.0.0.1:1/tool:1", "", nil)
	wanted{fault.BadRegistry, "has no certificate", nil}.check(t, err)
}
