package scan_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"rolecall/internal/gate/scan"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a", []byte(secret(0)))
	write(t, dir, "b", make([]byte, 1<<20))
	write(t, dir, "c", []byte(secret(0)))
	bomb := gzipOf("", zipOf("zeros", make([]byte, 64<<20)))
	write(t, dir, "bomb.gz", bomb)
	found := []string{"a: : access key id"}
	for name, test := range map[string]struct {
		options  scan.Options
		names    []string
		findings []string
		problems []string
		reason   error
	}{
		"bytes of a file":           {scan.Options{MaxBytes: 1 << 20}, []string{"a", "b", "c"}, found, []string{"b: : " + scan.ErrBytes.Error()}, scan.ErrBytes},
		"bytes that are unpacked":   {scan.Options{MaxBytes: 8 << 20}, []string{"a", "bomb.gz", "c"}, found, []string{"bomb.gz: : " + scan.ErrBytes.Error()}, scan.ErrBytes},
		"just as many as there are": {scan.Options{MaxBytes: 1<<20 + 20}, []string{"a", "b"}, found, nil, nil},
		"time":                      {scan.Options{MaxDuration: time.Nanosecond}, []string{"b"}, nil, nil, scan.ErrDuration},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.options.Dir, test.options.Workers = dir, 1
			result := scanned(t, test.options, test.names...)
			want(t, result, test.findings, test.problems)
			if !errors.Is(result.Stopped, test.reason) {
				t.Errorf("stopped by %v, want %v", result.Stopped, test.reason)
			}
			if most := test.options.MaxBytes + 1<<20; test.options.MaxBytes > 0 && result.Bytes > most {
				t.Errorf("read %d bytes, want at most %d", result.Bytes, most)
			}
		})
	}
}

// TestLimitIsNoDamage stops the scan before, at and after every read of an archive.
func TestLimitIsNoDamage(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.tgz", gzipOf("", tarOf("a", noise(300<<10))))
	write(t, dir, "a.zst", zstdOf("", noise(300<<10)))
	for most := int64(1); most < 800<<10; most += 5 << 10 {
		for _, name := range []string{"a.tgz", "a.zst"} {
			result := scanned(t, scan.Options{Dir: dir, MaxBytes: most}, name)
			if result.Stopped != nil && (len(result.Problems) != 1 || !errors.Is(result.Problems[0].Reason, scan.ErrBytes)) {
				t.Fatalf("%d bytes of %s: %+v", most, name, result)
			}
		}
	}
}

// TestManyReports: the number of reports is bounded.
func TestManyReports(t *testing.T) {
	t.Parallel()
	result, err := scan.Scan(t.Context(), issued(), func(yield func(scan.File) bool) {
		for i := 0; yield(scan.File{Name: fmt.Sprint("gone", i)}); i++ {
		}
	}, scan.Options{Dir: t.TempDir()})
	if err != nil || !errors.Is(result.Stopped, scan.ErrReports) || len(result.Problems) > 10100 {
		t.Errorf("%v, %v, %d problems", err, result.Stopped, len(result.Problems))
	}
}

// TestCancel cancels a scan that takes long to unpack.
func TestCancel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "bomb.gz", gzipOf("", make([]byte, 256<<20)))
	for _, after := range []time.Duration{0, 20 * time.Millisecond, 150 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context())
		var cancelled time.Time
		time.AfterFunc(after, func() { cancelled = time.Now(); cancel() })
		_, err := scan.Scan(ctx, issued(), named(slices.Repeat([]string{"bomb.gz"}, 50)...), scan.Options{Dir: dir, Workers: 2})
		if took := time.Since(cancelled); !errors.Is(err, context.Canceled) || took > time.Second {
			t.Errorf("cancelled after %v: %v, %v later", after, err, took)
		}
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a", []byte("a"))
	calls, start := 0, time.Now()
	_, err := scan.Scan(t.Context(), issued(), func(yield func(scan.File) bool) {
		for time.Since(start) < 2500*time.Millisecond && yield(scan.File{Name: "a"}) {
		}
	}, scan.Options{Dir: dir, Progress: func(files, bytes int64) {
		if calls++; files == 0 || bytes < files-2 {
			t.Errorf("progress of %d files, %d bytes", files, bytes)
		}
	}})
	if err != nil || calls != 2 {
		t.Errorf("%v, %d calls in 2.5 s", err, calls)
	}
}
