package state_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rolecall/internal/fault"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// quota is that of a project of a tenant.
func quota(project int64) state.Quota {
	return state.Quota{Tenant: "alpha", Project: project, PerMinute: 5}
}

// TestQuota: a tenant and project ask for so many credentials in a minute, and others for
// theirs; what a running job needs anew counts and is not refused.
func TestQuota(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, os.MkdirAll(p.root, 0o700))
	kit.Must(t, quota(42).Take(p.root, 3))
	kit.Must(t, quota(42).Take(p.root, 2))
	err := quota(42).Take(p.root, 1)
	const want = `too many credentials were asked for in a minute: 5 a minute, for tenant "alpha" and project 42 on this host; `
	if err == nil || fault.CodeOf(err) != fault.TooMany || fault.SideOf(err) != fault.Infrastructure || !strings.HasPrefix(err.Error(), want) {
		t.Fatalf("%v", err)
	}
	if row := fault.Rows(err)[1]; row.Label != "try again" || row.Text != "in 1m0s" && row.Text != "in 59s" && row.Text != "in 58s" {
		t.Errorf("%+v", row)
	}
	kit.Must(t, quota(42).Count(p.root, 1))
	kit.Must(t, quota(43).Take(p.root, 5))
	kit.Must(t, state.Quota{Tenant: "beta", Project: 42, PerMinute: 5}.Take(p.root, 5))
	kit.Must(t, state.Quota{Tenant: "alpha", Project: 42}.Take(p.root, 500))
	kit.Must(t, quota(44).Count(p.root, 7))
	if quota(44).Take(p.root, 1) == nil {
		t.Error("what was counted does not count")
	}
	info, err := os.Stat(filepath.Join(p.root, "requests", "alpha.42"))
	kit.Must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v", info.Mode())
	}
}

// TestQuotaWindow: only the last minute counts, whatever else is in the file, and what a
// process that was killed has left is no obstacle.
func TestQuotaWindow(t *testing.T) {
	t.Parallel()
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }
	for name, test := range map[string]struct {
		content string
		n       int
		again   string // empty: it is allowed
	}{
		"over":          {fmt.Sprintf("%d 5\n", ago(61*time.Second)), 5, ""},
		"half over":     {fmt.Sprintf("%d 3\n%d 2\n", ago(61*time.Second), ago(time.Second)), 3, ""},
		"in a moment":   {fmt.Sprintf("%d 3\n%d 2\n", ago(50*time.Second), ago(time.Second)), 3, "in 10s"},
		"later":         {fmt.Sprintf("%d 3\n%d 2\n", ago(50*time.Second), ago(30*time.Second)), 5, "in 30s"},
		"clock set":     {fmt.Sprintf("%d 5\n", ago(-time.Hour)), 5, ""},
		"broken":        {"x\n5\n\x00\n-1 -5\n", 5, ""},
		"a broken line": {fmt.Sprintf("x\n%d 5\n", ago(20*time.Second)), 1, "in 40s"},
	} {
		p := newPlace(t)
		dir := filepath.Join(p.root, "requests")
		kit.Must(t, os.MkdirAll(dir, 0o700))
		kit.Must(t, os.WriteFile(filepath.Join(dir, "alpha.42"), []byte(test.content), 0o600))
		kit.Must(t, os.WriteFile(filepath.Join(dir, "new"), []byte("half"), 0o600))
		err := quota(42).Take(p.root, test.n)
		got := ""
		if rows := fault.Rows(err); len(rows) == 2 {
			got = rows[1].Text
		}
		if (err == nil) != (test.again == "") || got != test.again {
			t.Errorf("%s: %v, again %q, want %q", name, err, got, test.again)
		}
	}
}

// TestQuotaAtOnce: many processes that count at once let no more pass than the quota.
func TestQuotaAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, os.MkdirAll(p.root, 0o700))
	var passed atomic.Int64
	var all sync.WaitGroup
	begin := make(chan struct{})
	for range 100 {
		all.Go(func() {
			<-begin
			err := quota(42).Take(p.root, 1)
			if err == nil {
				passed.Add(1)
			} else if fault.CodeOf(err) != fault.TooMany {
				t.Error(err)
			}
		})
	}
	close(begin)
	all.Wait()
	if passed.Load() != 5 {
		t.Errorf("%d have passed, want 5", passed.Load())
	}
}

// TestQuotaSwept: a sweep forgets who has asked for nothing lately.
func TestQuotaSwept(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	kit.Must(t, os.MkdirAll(p.root, 0o700))
	kit.Must(t, quota(42).Take(p.root, 5))
	kit.Must(t, quota(43).Take(p.root, 5))
	old := time.Now().Add(-3 * time.Minute)
	kit.Must(t, os.Chtimes(filepath.Join(p.root, "requests", "alpha.42"), old, old))
	_, err := state.Sweep(t.Context(), p.root, nil, nil)
	kit.Must(t, err)
	if entries, _ := os.ReadDir(filepath.Join(p.root, "requests")); len(entries) != 1 || entries[0].Name() != "alpha.43" {
		t.Errorf("%v is left", entries)
	}
}
