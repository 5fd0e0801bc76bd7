package history_test

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"rolecall/internal/admin/history"
	"rolecall/internal/audit/reading"
	"rolecall/test/kit"
)

// TestMemory: what a job did and who had a key is found in a log of two files of 16 MiB, one
// of them compressed, with lines that are cut and foreign, without making more of it than is found: a log of gigabytes needs no more.
func TestMemory(t *testing.T) { //nolint:paralleltest // it measures the process
	const size, limit = 16 << 20, 4 << 20
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	kit.Must(t, err)
	packed, err := os.OpenFile(path+".1.gz", os.O_CREATE|os.O_WRONLY, 0o600)
	kit.Must(t, err)
	z, err := gzip.NewWriterLevel(packed, gzip.BestSpeed)
	kit.Must(t, err)
	w := bufio.NewWriter(io.MultiWriter(f, z))
	for id, written := 1, 0; written < size; id++ {
		n, err := fmt.Fprintf(w, `{"time":"%s","event":"issued","host":"ci-1","program":"prepare","version":"0.1.0","allowed":true,"tenant":"alpha",`+
			`"access_key_id":"ASIA%d","expiration":"2026-02-03T05:05:07Z","job_id":"%d","project_path":"acme/shop","ref":"main","iss":"https://gitlab.example.com"}`+"\n",
			time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC).Add(time.Duration(id)*time.Second).Format(time.RFC3339), id, id)
		kit.Must(t, err)
		if id%1000 == 0 {
			m, err := w.WriteString("{\"time\":\"20\nnot of an audit log\n")
			kit.Must(t, err)
			n += m
		}
		written += n
	}
	kit.Must(t, errors.Join(w.Flush(), z.Close(), f.Close(), packed.Close()))
	log, err := reading.Open(path)
	kit.Must(t, err)
	defer log.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stories := history.Stories(log, "4711")
	found, _ := history.Who(log, "ASIA4712")
	history.Close(log, found)
	runtime.ReadMemStats(&after)
	if len(stories) != 1 || len(stories[0].Events) != 2 || len(found) != 2 || found[0].ID != "4712" || log.Unread().Lines() == 0 {
		t.Errorf("%d stories, %d sessions, %+v", len(stories), len(found), log.Unread())
	}
	if made := after.TotalAlloc - before.TotalAlloc; made > limit {
		t.Errorf("%d KiB were made, want at most %d", made>>10, limit>>10)
	}
}
