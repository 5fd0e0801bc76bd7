package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/test/auditlog"
	"rolecall/test/fakests"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// Tokens of jobs, and how they ask. The figures of docs/broker.md are those of make bench.
const (
	loadTokens = 300
	loadRate   = 200
	loadCalls  = 8 * loadRate
)

// TestBrokerReplicas: two replicas with one policy file and one audit log serve many tokens, each
// by one call of STS for each token. One is killed: no request is lost that it had not taken.
func TestBrokerReplicas(t *testing.T) {
	t.Parallel()
	b := newBrokerWorld(t)
	tokens := make([]string, loadTokens)
	for i := range tokens {
		tokens[i], _ = b.tokenOf(t, b.alpha())
	}
	var replicas [2]*lab.Broker
	var servers [2]*fakests.Server
	for i := range replicas {
		var err error
		servers[i], err = fakests.Start()
		kit.Must(t, err)
		t.Cleanup(servers[i].Close)
		replicas[i] = b.startBroker(t, servers[i].URL())
	}
	var killed atomic.Bool
	took, err := lab.Steadily(t.Context(), loadRate, loadCalls, func(n int) error {
		if n == loadCalls/2 {
			killed.Store(true)
			replicas[1].Close()
		}
		err := askUntil(replicas[n%2].URL, tokens[n/2%loadTokens])
		if err != nil && n%2 == 1 && killed.Load() {
			err = askUntil(replicas[0].URL, tokens[n/2%loadTokens])
		}
		return err
	})
	kit.Must(t, err)
	t.Logf("the slowest of %d answers took %v", len(took), slices.Max(took))
	calls := checkOnce(t, servers[0].Requests(), loadTokens) + checkOnce(t, servers[1].Requests(), 1)
	content, err := os.ReadFile(b.audit())
	kit.Must(t, err)
	if lines := auditlog.Check(t, content); lines < 2*calls-1 || lines > 2*calls+1 { // the killed one may have been between a call and its line
		t.Errorf("the audit log has %d lines of %d calls", lines, calls)
	}
}

// askUntil asks for a credential of alpha until the answer is there.
func askUntil(url, token string) error {
	for begin := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		request, err := http.NewRequest(http.MethodGet, url+"/v1/aws/alpha", nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", token)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		switch {
		case response.StatusCode == http.StatusOK:
			return nil
		case response.StatusCode != http.StatusServiceUnavailable || time.Since(begin) > time.Minute:
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
	}
}

// checkOnce fails the test unless STS was called once with each token, and with so many at least.
// It returns how many calls there were.
func checkOnce(t *testing.T, requests []fakests.Request, least int) int {
	t.Helper()
	calls := map[string]int{}
	for _, r := range requests {
		calls[r.Form.Get("WebIdentityToken")]++
	}
	if len(calls) < least || len(calls) != len(requests) {
		t.Errorf("%d calls of STS for %d tokens, want one for each of %d", len(requests), len(calls), least)
	}
	return len(requests)
}
