package jwks_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/idtoken/jwks"
	"rolecall/test/kit"
)

// TestCheckDir: a folder that a Source may have, and others. No descriptor stays open, and none of
// another file is closed.
func TestCheckDir(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	s := source(t, "https://gitlab.invalid")
	before := descriptors(t)
	for range 3 {
		kit.Must(t, jwks.CheckDir(s.Dir))
		if err := jwks.CheckDir(s.Dir + "/x"); err == nil {
			t.Error("a folder that is missing is fine")
		}
	}
	kit.Must(t, os.Chmod(s.Dir, 0o755))
	if err := jwks.CheckDir(s.Dir); err == nil || !strings.Contains(err.Error(), "other users than") {
		t.Errorf("an open folder: %v", err)
	}
	if after := descriptors(t); !slices.Equal(before, after) {
		t.Errorf("open are %q, and were %q", after, before)
	}
}

// descriptors returns the numbers of the open files of this process.
func descriptors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	kit.Must(t, err)
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestFullDisk: keys that do not fit on the disk do not take the place of those that are kept.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a disk that is full") {
		return
	}
	server := start(t)
	s := source(t, server.Issuer())
	kit.Mount(t, s.Dir, "size=4k", 0)
	s, _ = later(s, 0)
	raw := server.SignToken(claims(s.Issuer, nil))
	verified(t, s, raw)
	kept, err := os.ReadFile(cachePath(s))
	kit.Must(t, err)
	old, warnings := later(s, 2*time.Hour)
	verified(t, old, raw)
	if len(*warnings) != 1 || !strings.Contains((*warnings)[0], "no space left on device") {
		t.Errorf("warnings %q", *warnings)
	}
	if now, err := os.ReadFile(cachePath(s)); err != nil || !bytes.Equal(now, kept) {
		t.Errorf("kept are %q, %v", now, err)
	}
}

// TestLongCache: a cache of just the size that is read counts.
func TestLongCache(t *testing.T) {
	t.Parallel()
	server := start(t)
	s := source(t, server.Issuer())
	raw := server.SignToken(claims(s.Issuer, nil))
	verified(t, s, raw)
	for more, requests := range []int{1, 2} {
		content, err := os.ReadFile(cachePath(s))
		kit.Must(t, err)
		kit.Must(t, os.WriteFile(cachePath(s), append(content, bytes.Repeat([]byte(" "), 1<<20+more-len(content))...), 0o600))
		if verified(t, s, raw); server.KeyRequests() != requests {
			t.Errorf("%d bytes more: %d requests", more, server.KeyRequests())
		}
	}
}
