package broker_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"rolecall/test/fakests"
	"rolecall/test/kit"
)

// heap returns how much memory is in use.
func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// TestManyFail: a hundred thousand tokens that fail take bounded memory, and others are served.
func TestManyFail(t *testing.T) {
	w := newWorld(t).start(tenants)
	kept := w.token(7, nil)
	w.settled("/v1/aws/alpha", kept).keyOf(t)
	before := heap()
	for i := range 100_000 {
		token := fmt.Sprintf("%d.%s", i, strings.Repeat("x", 1300))
		if status := w.answered(fmt.Sprintf("10.0.%d.%d:1", i/200%250, i/50_000), "/v1/aws/alpha", token); status != 401 && status != 429 && status != 503 {
			t.Fatalf("token %d: %d", i, status)
		}
		if i%20_000 == 0 && w.answered("10.9.9.9:1", "/v1/aws/alpha", kept) != 200 {
			t.Errorf("after %d tokens a kept session is no answer", i)
		}
	}
	if n := strings.Count(w.log.String(), "\n"); n < 10 || n > 5000 {
		t.Errorf("the log has %d lines", n)
	}
	if grown := (int64(heap()) - int64(before)) >> 20; grown > 40 {
		t.Errorf("%d MiB more", grown)
	}
	w.settled("/v1/aws/alpha", w.token(8, nil)).keyOf(t)
}

// TestMemory: a live token takes at most 4 KiB.
func TestMemory(t *testing.T) {
	const tokens, most = 2000, 4 << 10
	w := newWorld(t, fakests.OK(fakests.Credentials{SessionToken: "IQoJ" + strings.Repeat("x", 1020)})).start(tenants)
	project := strings.Repeat("a", 30)
	changes := map[string]any{
		"namespace_id": "72", "namespace_path": "acme", "user_id": "1", "user_login": "jane.doe", "user_email": "jane.doe@example.com", "user_access_level": "owner",
		"pipeline_source": "push", "runner_id": 1, "runner_environment": "self-hosted", "sha": strings.Repeat("0", 40), "project_visibility": "private",
		"ci_config_ref_uri": "gitlab.example.com/acme/deploy//.gitlab-ci.yml@refs/heads/main", "ci_config_sha": strings.Repeat("1", 40), "ref_path": "refs/heads/main",
		"environment": project, "environment_protected": "false", "deployment_tier": "production",
	}
	var asking sync.WaitGroup
	for worker := range 8 {
		asking.Go(func() {
			for i := worker; i < tokens; i += 8 {
				token := w.token(i+1, changes)
				kit.Await(t, "a credential", func() bool { return w.answered(fmt.Sprintf("10.0.0.%d:1", worker), "/v1/aws/alpha", token) == 200 })
				if status := w.answered("10.0.0.9:1", "/v1/aws/alpha", token); status != 200 { // a second request may cost memory too
					t.Errorf("the second request: %d", status)
				}
			}
		})
	}
	asking.Wait()
	with := heap()
	kit.Must(t, w.End())
	each := (int64(with) - int64(heap())) / tokens
	t.Logf("%d bytes for each token of %d bytes", each, len(w.token(tokens, changes)))
	if each > most || each < 1000 {
		t.Errorf("%d bytes for each token", each)
	}
}
