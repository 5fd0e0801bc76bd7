package e2e_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/test/lab"
)

// rewrite writes another policy file, with texts replaced: an old one, its new one, and
// so on.
func (p *policyWorld) rewrite(t *testing.T, path string, texts ...string) {
	t.Helper()
	content, err := os.ReadFile(p.policy)
	if err == nil && !bytes.Contains(content, []byte(texts[0])) {
		err = fmt.Errorf("no %q in the policy file", texts[0])
	}
	if err == nil {
		err = os.WriteFile(path, []byte(strings.NewReplacer(texts...).Replace(string(content))), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// startRunner starts a runner that ends with the test.
func startRunner(t *testing.T, opts lab.RunnerOptions) *lab.RunnerService {
	t.Helper()
	runner, err := lab.StartRunner(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := runner.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(runner.Log())
		}
	})
	return runner
}

// inProcesses are the files of processes other than this one which hold a secret.
func inProcesses(secrets []string) []string {
	holds := func(content []byte) bool {
		return slices.ContainsFunc(secrets, func(s string) bool { return bytes.Contains(content, []byte(s)) })
	}
	return append(processFiles("environ", holds), processFiles("cmdline", holds)...)
}

// processFiles are the files of that name in /proc, but this process's, that match.
func processFiles(name string, match func(content []byte) bool) []string {
	paths, _ := filepath.Glob("/proc/[0-9]*/" + name)
	return slices.DeleteFunc(paths, func(path string) bool {
		content, err := os.ReadFile(path)
		return err != nil || filepath.Base(filepath.Dir(path)) == strconv.Itoa(os.Getpid()) || !match(content)
	})
}

// until waits until something is so.
func until(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); pause() {
		if time.Now().After(deadline) {
			t.Errorf("%s: not after %v", what, limit)
			return
		}
	}
}

// heldSTS is a way to STS that can be closed for a while.
type heldSTS struct {
	url     string
	held    atomic.Bool
	asked   chan struct{} // gets something when a request has to wait
	release chan struct{} // to be closed when it may go on
}

// holdSTS starts a way to the STS at target, which is open.
func holdSTS(t *testing.T, target string) *heldSTS {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	h := &heldSTS{asked: make(chan struct{}, 10), release: make(chan struct{})}
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.held.Load() {
			h.asked <- struct{}{}
			select {
			case <-h.release:
			case <-r.Context().Done():
			case <-t.Context().Done():
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	return h
}
