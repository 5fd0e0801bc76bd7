package provision_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"rolecall/internal/admin/provision"
	"rolecall/test/kit"
)

// TestAtOnce: of several that provision a host at once each one succeeds, and one makes everything.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "users that are made") {
		return
	}
	ownEtc(t)
	kit.Mount(t, "/run", "", 0)
	policy := compile(t, "run_as = \"ci-none\"\nbuilds_dir = \"/srv/ci/builds\"\ncache_dir = \"/srv/ci/cache\"\n"+tenants)
	var lock sync.Mutex
	var group sync.WaitGroup
	made := 0
	for range 4 {
		group.Go(func() {
			turn, err := provision.Take()
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { kit.Must(t, turn.Close()) }()
			plan, err := provision.For(policy)
			if err == nil {
				err = plan.Do(t.Context(), func(provision.Step) { lock.Lock(); made++; lock.Unlock() })
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if made != 6 {
		t.Errorf("%d steps were done, want 6", made)
	}
	turn, err := provision.Take()
	kit.Must(t, err)
	if _, err := provision.TakeFor(100 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "another rolecall provision makes users and folders, and keeps /run/rolecall-provision.lock locked") {
		t.Errorf("while another one has the turn: %v", err)
	}
	kit.Must(t, turn.Close())
}
