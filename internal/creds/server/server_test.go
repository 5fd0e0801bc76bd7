package server_test

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/creds/server"
	"rolecall/internal/fault"
	"rolecall/internal/httpguard"
	"rolecall/test/kit"
)

// TestRequest: what a server gets is what it was asked, below the path of its address.
func TestRequest(t *testing.T) {
	t.Parallel()
	var got string
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = strings.Join([]string{r.Method, r.URL.EscapedPath(), r.Proto, r.Header.Get("X-Token"), r.Header.Get("Content-Type"), r.Header.Get("Accept"), string(body)}, " ")
		if agent := r.UserAgent(); !strings.HasPrefix(agent, "rolecall/") {
			t.Errorf("the user agent is %q", agent)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, "answer")
	})
	header := http.Header{"X-Token": {"t"}}
	for want, r := range map[string]server.Request{
		"GET /v1/a%20b%3Fc HTTP/1.1   application/json ":                                                  {Method: http.MethodGet, Path: "v1/a b?c"},
		`POST /v1/x HTTP/1.1 t application/json application/json {"a":"b"}`:                               {Method: http.MethodPost, Path: "/v1/x", Header: header, Body: server.JSON(map[string]string{"a": "b"})},
		"POST /v1/x HTTP/1.1 t application/x-www-form-urlencoded application/json a=b+c&d=%26":            {Method: http.MethodPost, Path: "/v1/x", Header: header, Body: server.Form(url.Values{"a": {"b c"}, "d": {"&"}})},
		"POST /v1/a/b:generateAccessToken HTTP/1.1 t application/x-www-form-urlencoded application/json ": {Method: http.MethodPost, Path: "/v1/a/b:generateAccessToken", Header: header, Body: server.Form(nil)},
	} {
		a, err := ask(t, at(t, s.URL, nil), r)
		if err != nil || a.Status != http.StatusCreated || string(a.Body) != "answer" || a.Tries != 1 || got != want {
			t.Errorf("%+v, %v, got %q, want %q", a, err, got, want)
		}
		if _, err := ask(t, at(t, s.URL+"/of/", nil), r); err != nil || got != strings.Replace(want, " /v1", " /of/v1", 1) {
			t.Errorf("below a path: %q, %v", got, err)
		}
	}
	if len(header) != 1 {
		t.Errorf("the caller's header has become %v", header)
	}
}

// TestTries: an answer that may pass is asked for again, twice at most, and any other is not.
func TestTries(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		statuses []int
		again    func(server.Answer) bool
		want     int
	}{
		"a good one":           {[]int{200}, nil, 1},
		"an error that stays":  {[]int{500}, nil, 1},
		"a refusal":            {[]int{403}, nil, 1},
		"too many":             {[]int{429, 200}, nil, 2},
		"gateways":             {[]int{502, 504, 200}, nil, 3},
		"for ever":             {[]int{503, 503, 503, 200}, nil, 3},
		"the caller's own no":  {[]int{503, 200}, func(server.Answer) bool { return false }, 1},
		"the caller's own yes": {[]int{412, 200}, func(a server.Answer) bool { return a.Status == 412 && string(a.Body) == "body" }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if body, _ := io.ReadAll(r.Body); string(body) != `"whole"` {
					t.Errorf("the body is %q", body)
				}
				w.WriteHeader(test.statuses[asked.Add(1)-1])
				_, _ = io.WriteString(w, "body")
			})
			a, err := ask(t, at(t, s.URL, nil), server.Request{Method: http.MethodPost, Body: server.JSON("whole"), Again: test.again})
			if err != nil || int(asked.Load()) != test.want || a.Tries != test.want || a.Status != test.statuses[test.want-1] {
				t.Errorf("%d requests, %+v, %v", asked.Load(), a, err)
			}
		})
	}
}

// TestNoAnswer: why there is no answer is told in fixed words, with the host and the tries, and
// is infrastructure's. What cannot pass is tried once.
func TestNoAnswer(t *testing.T) {
	t.Parallel()
	closed := httptest.NewServer(nil)
	closed.Close()
	secure := httptest.NewUnstartedServer(nil)
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	long := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", httpguard.MaxAnswer+1))
	})
	cut := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "SECRET")
	})
	header := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 128<<10)) })
	for address, want := range map[string]string{
		closed.URL: "3 tries: connection refused; look at the server",
		secure.URL: "1 try: its certificate is not trusted: x509: certificate signed by unknown authority; the authority that has signed",
		long.URL:   "1 try: its answer is larger than 1 MiB; look",
		cut.URL:    "3 tries: the request did not go through; look",
		header.URL: "3 tries: the request did not go through; look",
	} {
		s := at(t, address, nil)
		_, err := ask(t, s, server.Request{Method: http.MethodGet})
		if err == nil || fault.CodeOf(err) != fault.NoSource || !strings.HasPrefix(err.Error(), "no credentials: the server "+s.Host()+", "+want) || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
	most := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", httpguard.MaxAnswer))
	})
	if a, err := ask(t, at(t, most.URL, nil), server.Request{Method: http.MethodGet}); err != nil || len(a.Body) != httpguard.MaxAnswer {
		t.Errorf("of 1 MiB came %d, %v", len(a.Body), err)
	}
}

// TestRedirect: no redirect is followed.
func TestRedirect(t *testing.T) {
	t.Parallel()
	other := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") })
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	if a, err := ask(t, at(t, s.URL, nil), server.Request{Method: http.MethodPost, Body: server.JSON(1)}); err != nil || a.Status != http.StatusTemporaryRedirect || a.Tries != 1 {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestTime: who waits is told when its time is over, and a request that is canceled is not made again.
func TestTime(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	silent := serve(t, func(_ http.ResponseWriter, r *http.Request) { asked.Add(1); <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := at(t, silent.URL, nil).Ask(ctx, server.Request{Method: http.MethodGet})
	if err == nil || !strings.Contains(err.Error(), "1 try: no answer in time") || asked.Load() != 1 {
		t.Errorf("%v, %d requests", err, asked.Load())
	}
	canceled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := at(t, silent.URL, nil).Ask(canceled, server.Request{Method: http.MethodGet}); err == nil || !strings.Contains(err.Error(), "1 try: canceled") {
		t.Errorf("canceled: %v", err)
	}
}

// TestAddresses: only https, or this host, is asked.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", "https://u:hunter2@vault.example.com", ":"} {
		if _, err := server.New(bad, nil); fault.CodeOf(err) != fault.BadSource || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, err := ask(t, at(t, "http://vault.example.com", nil), server.Request{Method: http.MethodGet})
	if fault.CodeOf(err) != fault.BadSource || !strings.Contains(err.Error(), "at vault.example.com, is not https") {
		t.Error(err)
	}
}

// TestSkew: the clock of a server tells how wrong that of this host is.
func TestSkew(t *testing.T) {
	t.Parallel()
	for date, want := range map[string]time.Duration{
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): time.Hour,
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):  -time.Hour,
		"soon": 0,
	} {
		s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Date", date) })
		a, err := ask(t, at(t, s.URL, nil), server.Request{Method: http.MethodGet})
		kit.Must(t, err)
		if skew, known := a.Skew(); known != (want != 0) || known && (skew-want).Abs() > time.Minute {
			t.Errorf("%s: %v, %v", date, skew, known)
		}
	}
}

// TestProxy: the way to a server on another host is the proxy of the program's environment.
func TestProxy(t *testing.T) {
	t.Parallel()
	var asked atomic.Value
	proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.Host)
		http.Error(w, "hunter2", http.StatusForbidden)
	})
	out := askAsChild(t, "https://vault.example.com:8200", "HTTPS_PROXY=http://u:hunter2@"+strings.TrimPrefix(proxy.URL, "http://"))
	if got, _ := asked.Load().(string); got != "CONNECT vault.example.com:8200" {
		t.Errorf("the proxy was asked %q", got)
	}
	if !strings.Contains(out, "no credentials: the server vault.example.com:8200, 3 tries: ") || strings.Contains(out, "hunter2") {
		t.Errorf("%s", out)
	}
}
