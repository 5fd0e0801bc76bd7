package reading_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"rolecall/internal/audit/reading"
	"rolecall/test/kit"
)

// start is the time of line 0; each line is a second later.
var start = time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC)

// line returns the line of a job, as the log has it.
func line(id int) string {
	t := start.Add(time.Duration(id)*time.Second + time.Duration(id%3)*time.Millisecond)
	return fmt.Sprintf(`{"time":%q,"event":"ended","program":"cleanup","version":"0.1.0","tenant":"a<b","job_id":"%d"}`+"\n", t.Format(time.RFC3339Nano), id)
}

// lines returns the lines of jobs, from one to before another.
func lines(from, to int) string {
	var text strings.Builder
	for id := from; id < to; id++ {
		text.WriteString(line(id))
	}
	return text.String()
}

// ids returns numbers as texts.
func ids(from, to int) []string {
	var all []string
	for id := from; id < to; id++ {
		all = append(all, fmt.Sprint(id))
	}
	return all
}

// squeeze compresses a text in the form that a name ends with.
func squeeze(t testing.TB, name, text string) []byte {
	t.Helper()
	var out bytes.Buffer
	switch filepath.Ext(name) {
	case ".gz":
		return squeezed(text)
	case ".zst":
		w, err := zstd.NewWriter(&out)
		kit.Must(t, err)
		_, err = w.Write([]byte(text))
		kit.Must(t, err)
		kit.Must(t, w.Close())
	default:
		out.WriteString(text)
	}
	return out.Bytes()
}

// squeezed compresses a text by gzip.
func squeezed(text string) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write([]byte(text)) // a buffer takes all
	_ = w.Close()
	return out.Bytes()
}

// newLog makes the files of a log, by their names, and returns the path of the log.
func newLog(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		kit.Must(t, os.WriteFile(filepath.Join(dir, name), squeeze(t, name, text), 0o600))
	}
	return filepath.Join(dir, "audit.jsonl")
}

// open opens a log, until the test ends.
func open(t testing.TB, path string) *reading.Log {
	t.Helper()
	l, err := reading.Open(path)
	kit.Must(t, err)
	t.Cleanup(l.Close)
	return l
}

// oldest and newest return the ids of the jobs of the lines that a filter wants.
func oldest(l *reading.Log, f reading.Filter) []string {
	var all []string
	for e := range l.Oldest(f) {
		all = append(all, e.JobID)
	}
	return all
}

func newest(l *reading.Log, f reading.Filter) []string {
	var all []string
	for e := range l.Newest(f) {
		all = append(all, e.JobID)
	}
	return all
}

// both checks what a filter wants of a log, in both orders.
func both(t *testing.T, name string, l *reading.Log, f reading.Filter, want []string) {
	t.Helper()
	if got := oldest(l, f); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
	got := newest(l, f)
	if slices.Reverse(got); !slices.Equal(got, want) {
		t.Errorf("%s: the newest first: %q, want %q reversed", name, got, want)
	}
}
