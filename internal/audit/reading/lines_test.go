package reading_test

import (
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/audit/reading"
	"rolecall/test/kit"
)

// TestBothWays: of lines of any length, also where blocks meet, both orders return the same.
func TestBothWays(t *testing.T) {
	t.Parallel()
	const longest = 64 << 10
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 8 {
		var text strings.Builder
		var want []string
		id := 0
		for text.Len() < 1<<20 {
			n := []int{0, 100, 1000, longest - 200, longest, longest + 1, 256 << 10, 600 << 10}[random.IntN(8)] + random.IntN(100)
			one := pad(id, n)
			if text.WriteString(one); len(one) <= longest+1 {
				want = append(want, ids(id, id+1)...)
			}
			id++
		}
		content := text.String()
		if round%2 == 0 {
			content = strings.TrimSuffix(content, "\n")
		}
		l := open(t, newLog(t, map[string]string{"audit.jsonl": content}))
		both(t, "plain", l, reading.Filter{}, want)
		if l.Unread() != (reading.Unread{Foreign: id - len(want)}) {
			t.Errorf("%d lines, of which %d are not too long: %+v", id, len(want), l.Unread())
		}
	}
}

// pad returns a line with n more bytes.
func pad(id, n int) string {
	return strings.Replace(line(id), `"event"`, `"reason":"`+strings.Repeat("r", n)+`","event"`, 1)
}

// TestReplayed: of a compressed file all lines are returned, the newest first, though they do not
// fit into what is kept, and those that cannot be read are counted once.
func TestReplayed(t *testing.T) {
	t.Parallel()
	const n, bad = 2500, 7
	var text strings.Builder
	text.WriteString(strings.Repeat("text\n", bad))
	for id := range n {
		text.WriteString(pad(id, 8000))
	}
	l := open(t, newLog(t, map[string]string{"audit.jsonl.1.gz": text.String() + strings.Repeat(`{"a":1}`+"\n", bad)}))
	got := newest(l, reading.Filter{})
	if slices.Reverse(got); !slices.Equal(got, ids(0, n)) || l.Unread() != (reading.Unread{Foreign: 2 * bad}) || l.Err() != nil {
		t.Errorf("%d lines, want %d: %+v, %v", len(got), n, l.Unread(), l.Err())
	}
}

// TestMemory: a big log does not need more memory than a small one, in both orders, whether
// it is compressed or not.
func TestMemory(t *testing.T) {
	const n, limit = 7000, 40 << 20 // of 27 MiB in each file
	var text strings.Builder
	for id := range n {
		text.WriteString(pad(id, 3900))
	}
	path := newLog(t, map[string]string{"audit.jsonl": text.String(), "audit.jsonl.1.gz": text.String()})
	text.Reset()
	l := open(t, path)
	for name, read := range map[string]func(func(int)){
		"oldest": func(each func(int)) {
			i := 0
			for range l.Oldest(reading.Filter{}) {
				i++
				each(i)
			}
		},
		"newest": func(each func(int)) {
			i := 0
			for range l.Newest(reading.Filter{}) {
				i++
				each(i)
			}
		},
	} {
		runtime.GC()
		var before, now runtime.MemStats
		runtime.ReadMemStats(&before)
		seen, most := 0, uint64(0)
		read(func(i int) {
			if seen = i; i%500 == 0 {
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
			}
		})
		t.Logf("%s: %d MiB", name, (most-before.HeapAlloc)>>20)
		if seen != 2*n || most > before.HeapAlloc+limit {
			t.Errorf("%s: %d lines took %d MiB, want %d and at most %d", name, seen, (most-before.HeapAlloc)>>20, 2*n, limit>>20)
		}
	}
}

// TestRotated: whatever rotation does meanwhile, a log that was opened has each line once, and
// all lines that were there.
func TestRotated(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl": lines(8, 12), "audit.jsonl.1": lines(4, 8), "audit.jsonl.2": lines(0, 4)})
	l := open(t, path)
	kit.Must(t, os.Remove(path+".2"))
	kit.Must(t, os.Rename(path+".1", path+".2"))
	kit.Must(t, os.Rename(path, path+".1"))
	kit.Must(t, os.WriteFile(path, []byte(lines(12, 13)), 0o600))
	both(t, "rotated", l, reading.Filter{}, ids(0, 12))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	kit.Must(t, err)
	defer f.Close()
	l = open(t, path)
	_, err = f.WriteString(lines(13, 14))
	kit.Must(t, err)
	both(t, "written to", l, reading.Filter{}, ids(4, 13))
}

// TestRotating: the same while a log is rotated and compressed all the time.
func TestRotating(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl": lines(0, 2)})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for id := 2; ; id++ {
			select {
			case <-stop:
				return
			default:
			}
			rotate(path, id)
		}
	}()
	for range 300 {
		l, err := reading.Open(path)
		kit.Must(t, err)
		got := oldest(l, reading.Filter{})
		for i := 1; i < len(got); i++ {
			if len(got[i-1]) > len(got[i]) || len(got[i-1]) == len(got[i]) && got[i-1] >= got[i] {
				t.Fatalf("%q, %v", got, l.Err())
			}
		}
		if len(got) < 2 {
			t.Fatalf("%d lines, %v", len(got), l.Err())
		}
		l.Close()
	}
	close(stop)
	<-stopped
}

// rotate rotates a log as logrotate does, and writes the line of a job. It compresses the file
// before the last one.
func rotate(path string, id int) {
	_ = os.Remove(path + ".3.gz")
	_ = os.Rename(path+".2.gz", path+".3.gz")
	if text, err := os.ReadFile(path + ".1"); err == nil {
		_ = os.Rename(path+".1", path+".2")
		_ = os.WriteFile(path+".2.gz", squeezed(string(text)), 0o600)
		_ = os.Remove(path + ".2")
	}
	_ = os.Rename(path, path+".1")
	_ = os.WriteFile(path, []byte(line(id)), 0o600)
}
