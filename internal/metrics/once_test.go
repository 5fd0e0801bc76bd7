package metrics_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/metrics"
	"rolecall/test/kit"
)

// masked is the event whose counts these tests look at.
var masked = audit.Event{Event: audit.Masked, Count: 1}

// TestOnce: each line is counted once, when the log is rotated and compressed, too.
func TestOnce(t *testing.T) {
	t.Parallel()
	p, want := newPlace(t), 0.0
	for step := range 12 {
		if step%4 == 3 {
			kit.Must(t, os.Rename(p.Log, fmt.Sprint(p.Log, ".", 20-step)))
		}
		for range step % 3 {
			p.write(t, masked)
			want++
		}
		for range 2 {
			kit.Must(t, p.Do())
			if got := p.read(t); got["masked_total"] != want || got["metrics_resets_total"] != 0 {
				t.Fatalf("step %d: %v, want %v masked", step, got, want)
			}
		}
	}
}

// TestLost: where the counts are lost, or their place in the log, nothing counts twice, and the
// reset is counted.
func TestLost(t *testing.T) {
	t.Parallel()
	content := func(text string) func(t *testing.T, p place) {
		return func(t *testing.T, p place) {
			t.Helper()
			kit.Must(t, os.WriteFile(p.Log+".metrics", []byte(text), 0o600))
		}
	}
	for name, test := range map[string]struct {
		do   func(t *testing.T, p place)
		kept float64 // of the three that were counted before
	}{
		"empty":   {content(""), 0},
		"foreign": {content("{}"), 0},
		"holes":   {content(strings.Repeat("\x00", 4096)), 0},
		"cut": {func(t *testing.T, p place) {
			t.Helper()
			kit.Must(t, os.Truncate(p.Log+".metrics", 100))
		}, 0},
		"changed": {func(t *testing.T, p place) {
			t.Helper()
			text, err := os.ReadFile(p.Log + ".metrics")
			kit.Must(t, err)
			content(strings.Replace(string(text), ":3", ":4", 1))(t, p)
		}, 0},
		"open to others": {func(t *testing.T, p place) {
			t.Helper()
			kit.Must(t, os.Chmod(p.Log+".metrics", 0o666))
		}, 0},
		"the log was emptied": {func(t *testing.T, p place) {
			t.Helper()
			kit.Must(t, os.Truncate(p.Log, 0))
		}, 3},
	} {
		p := newPlace(t)
		p.write(t, masked, masked, masked)
		kit.Must(t, p.Do())
		p.write(t, masked)
		test.do(t, p)
		kit.Must(t, p.Do())
		if got := p.read(t); got["masked_total"] != test.kept || got["metrics_resets_total"] != 1 {
			t.Errorf("%s: %v, want %v masked and one reset", name, got, test.kept)
		}
		p.write(t, masked)
		kit.Must(t, p.Do())
		if got := p.read(t); got["masked_total"] != test.kept+1 || got["metrics_resets_total"] != 1 {
			t.Errorf("%s, and a line: %v", name, got)
		}
	}
}

// TestTogether: programs that end at once lose no count, and count nothing twice.
func TestTogether(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var all sync.WaitGroup
	const programs, lines = 8, 20
	for range programs {
		all.Go(func() {
			for range lines {
				if err := errors.Join(audit.Log{Path: p.Log}.Write(masked), p.Do()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	kit.Must(t, p.Do())
	if got := p.read(t); got["masked_total"] != programs*lines || got["metrics_resets_total"] != 0 {
		t.Errorf("%v masked, %v resets, want %d", got["masked_total"], got["metrics_resets_total"], programs*lines)
	}
}

// TestBusy: cleanup leaves the work to another process, and sweep waits for it.
func TestBusy(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write(t, masked)
	f, err := os.Create(p.Log + ".metrics.lock")
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	p.Full = false
	kit.Must(t, p.Do())
	if _, err := os.Lstat(p.File); err == nil {
		t.Error("the file was written while another process did so")
	}
	p.Full = true
	done := make(chan error)
	go func() { done <- p.Do() }()
	time.AfterFunc(50*time.Millisecond, func() { _ = f.Close() })
	kit.Must(t, <-done)
	if got := p.read(t); got["masked_total"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestKilled: a program that is killed at any moment leaves a whole file, and counts that go on.
func TestKilled(t *testing.T) {
	t.Parallel()
	if kit.IsChild(t) {
		p := place{metrics.Update{Log: os.Getenv("LOG"), File: os.Getenv("FILE"), Full: true}}
		for {
			p.write(t, masked)
			kit.Must(t, p.Do())
		}
	}
	p := newPlace(t)
	kit.Must(t, p.Do())
	for round := range 15 {
		child := kit.Child(t, nil, "LOG="+p.Log, "FILE="+p.File)
		kit.Must(t, child.Start())
		before := p.read(t)["masked_total"]
		kit.Await(t, "the child counts", func() bool { return p.read(t)["masked_total"] > before+float64(round) })
		kit.Must(t, child.Process.Signal(syscall.SIGKILL))
		_ = child.Wait() // it was killed
		kit.Must(t, p.Do())
		text, err := os.ReadFile(p.Log)
		kit.Must(t, err)
		if got, want := p.read(t)["masked_total"], strings.Count(string(text), "\n"); got != float64(want) {
			t.Fatalf("%v, want %d", got, want)
		}
	}
	names, err := filepath.Glob(filepath.Join(filepath.Dir(p.File), ".*.new"))
	if len(names) > 0 || err != nil {
		t.Errorf("left: %q, %v", names, err)
	}
}

// TestBounded: not all of a long log is counted at once, by programs that must be quick.
func TestBounded(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	const lines = 20_000
	add(t, p.Log, strings.Repeat(`{"time":"2026-02-03T04:05:06Z","event":"masked","count":1,"reason":"`+strings.Repeat("r", 100)+"\"}\n", lines))
	p.Full = false
	kit.Must(t, p.Do())
	if got := p.read(t)["masked_total"]; got < 1000 || got > lines/2 {
		t.Errorf("%v lines at once", got)
	}
	old := time.Now().Add(-time.Minute)
	for range 3 {
		kit.Must(t, os.Chtimes(p.Log+".metrics", old, old))
		kit.Must(t, p.Do())
	}
	if got := p.read(t)["masked_total"]; got != lines {
		t.Errorf("%v lines in the end", got)
	}
	all := newPlace(t)
	text, err := os.ReadFile(p.Log)
	kit.Must(t, err)
	add(t, all.Log, string(text))
	kit.Must(t, all.Do())
	if got := all.read(t)["masked_total"]; got != lines {
		t.Errorf("%v lines at once by a program that has time", got)
	}
}

// TestManyNames: names that authors make up do not make the file grow, and do not hide tenants
// whose jobs are allowed.
func TestManyNames(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var text strings.Builder
	for _, name := range []string{`a\"b`, `x,tenant=`, `ä`, `a\nb`, strings.Repeat("x", 200)} {
		fmt.Fprintf(&text, `{"time":"2026-02-03T04:05:06Z","event":"decision","allowed":false,"tenant":"%s","code":"no code","rule":"}"}`+"\n", name)
	}
	for i := range 3000 {
		fmt.Fprintf(&text, `{"time":"2026-02-03T04:05:06Z","event":"decision","allowed":false,"tenant":"made-up-%d","code":"RC%d","rule":"%d"}`+"\n", i, i, i)
	}
	add(t, p.Log, text.String())
	kit.Must(t, p.Do())
	p.write(t, decision("alpha", true))
	kit.Must(t, p.Do())
	got, sum := p.read(t), 0.0
	for key, n := range got {
		if strings.HasPrefix(key, "decisions_total") {
			sum += n
		}
	}
	if len(got) > 1200 || sum != 3006 || got["decisions_total alpha allowed"] != 1 || got["decisions_total other refused other other"] == 0 {
		t.Errorf("%d series, %v decisions: %v", len(got), sum, got["decisions_total other refused other other"])
	}
}

// TestManySeries: the number of series is bounded, whatever they are about.
func TestManySeries(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	var text strings.Builder
	for i := range 12_000 {
		fmt.Fprintf(&text, `{"time":"2026-02-03T04:05:06Z","event":"issued","tenant":"t%d","provider":"aws"}`+"\n", i)
	}
	add(t, p.Log, text.String())
	kit.Must(t, p.Do())
	if got := p.read(t); len(got) > 10_100 || got["sessions_issued_total other other"] < 1500 || got["provider_requests_total aws ok"] != 12_000 {
		t.Errorf("%d series: %v", len(got), got["sessions_issued_total other other"])
	}
}
