package state_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"rolecall/internal/job"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestTry: the tries of a job are counted, and one that failed as the one before is seen.
func TestTry(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	kit.Must(t, os.Chmod(root, 0o700))
	one, other := job.Key{ID: 7, Proof: "a"}, job.Key{ID: 7, Proof: "b"}
	for i, step := range []struct {
		key    job.Key
		text   string
		number int
		same   bool
	}{
		{one, "no answer, 3 tries", 1, false},
		{one, "no answer, 3 tries", 2, true},
		{one, "no room", 3, false},
		{job.Key{ID: 8}, "no room", 1, false},
		{other, "no room", 4, false},
	} {
		if number, same := state.Try(root, step.key, step.text); number != step.number || same != step.same {
			t.Errorf("step %d: try %d, same: %t, want %d, %t", i, number, same, step.number, step.same)
		}
	}
	kit.Must(t, os.WriteFile(filepath.Join(root, "tries", "7"), []byte("x"), 0o600))
	if number, same := state.Try(root, one, "no room"); number != 1 || same {
		t.Errorf("after garbage: try %d, same: %t", number, same)
	}
	if number, same := state.Try(filepath.Join(root, "none"), one, "x"); number != 0 || same {
		t.Errorf("without a root: try %d, same: %t", number, same)
	}
}

// TestTriesAreForgotten: a sweep removes old tries, and the folder with the last one.
func TestTriesAreForgotten(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	kit.Must(t, os.Chmod(root, 0o700))
	state.Try(root, job.Key{ID: 7}, "x")
	state.Try(root, job.Key{ID: 8}, "x")
	old := time.Now().Add(-11 * time.Minute)
	for _, step := range []struct {
		ages []string
		left int
	}{{nil, 2}, {[]string{"7"}, 1}, {[]string{"8"}, 0}} {
		for _, name := range step.ages {
			kit.Must(t, os.Chtimes(filepath.Join(root, "tries", name), old, old))
		}
		_, err := state.Sweep(t.Context(), root, nil, nil)
		kit.Must(t, err)
		if left, _ := os.ReadDir(filepath.Join(root, "tries")); len(left) != step.left {
			t.Errorf("%d tries are left, want %d", len(left), step.left)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "tries")); !os.IsNotExist(err) {
		t.Errorf("the folder of no tries: %v", err)
	}
}
