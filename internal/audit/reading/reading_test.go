package reading_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/audit"
	"rolecall/internal/audit/reading"
	"rolecall/test/kit"
)

// bunzip is what bzip2 makes of lines(0, 1).
const bunzip = "425a68393141592653592beae3e50000385b80001010077f140410beb7df0a200075114d33421a069a34c9a34f5320d4d13d23400f51a681a0692bd33747053398791235580489d6a83d1264308650a41b5a40349614f7c7966e9273a242798bca105540d74d1441358ac40e635341aaea4b4b404098b917e2ee48a70a12057d5c7ca0"

// TestOrder: the files of a log are read in the order of their lines, whatever their names are,
// and a file that is there twice is read once.
func TestOrder(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"none":       {},
		"numbers":    {"audit.jsonl": lines(8, 9), "audit.jsonl.1": lines(4, 8), "audit.jsonl.2.gz": lines(2, 4), "audit.jsonl.10.zst": lines(0, 2)},
		"dates":      {"audit.jsonl": lines(8, 9), "audit.jsonl-20260203.gz": lines(0, 3), "audit.jsonl-20260204-1770163506": lines(3, 8)},
		"extension":  {"audit.jsonl": lines(8, 9), "audit-20260203.jsonl.gz": lines(0, 3), "audit.1.jsonl": lines(3, 8)},
		"no log yet": {"audit.jsonl": "", "audit.jsonl.1": lines(0, 9)},
		"twice":      {"audit.jsonl": lines(8, 9), "audit.jsonl.1": lines(4, 8), "audit.jsonl.1.gz": lines(4, 6), "audit.jsonl.2.gz": lines(0, 4)},
		"of others":  {"audit.jsonl": lines(0, 9), "audit.jsonl.bak": lines(0, 9), "audit.jsonl.1.tmp": lines(0, 9), "other.jsonl.1": lines(0, 9), "audit.jsonl.": lines(0, 9), "audit.json": lines(0, 9), "audit.jsonl-x.gz": lines(0, 9), "audit.jsonl.gz": lines(0, 9), "audit.state.jsonl": "{}"},
	} {
		l, want := open(t, newLog(t, files)), ids(0, 9)
		if len(files) == 0 {
			want = nil
		}
		both(t, name, l, reading.Filter{}, want)
		if l.Err() != nil || l.Unread().Lines() > 0 {
			t.Errorf("%s: %v, %+v", name, l.Err(), l.Unread())
		}
	}
	soon := open(t, newLog(t, map[string]string{
		"audit.jsonl": lines(2, 3), "audit.jsonl.1": strings.Replace(line(0), "06Z", "06.9Z", 1) + line(1), "audit.jsonl.2": strings.Replace(line(0), "06Z", "06.1Z", 1),
	}))
	both(t, "rotated twice in a second", soon, reading.Filter{}, []string{"0", "0", "1", "2"})
	back := open(t, newLog(t, map[string]string{"audit.jsonl": lines(0, 3), "audit.jsonl.1": lines(6, 9), "audit.jsonl.2": lines(3, 6)}))
	both(t, "the clock was set back", back, reading.Filter{}, append(ids(3, 9), ids(0, 3)...))
}

// TestForms: files of bzip2 are read, and of a form that cannot be read an error names the file.
func TestForms(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl": lines(1, 2), "audit.jsonl.2.xz": "?"})
	old := []byte{}
	_, err := fmt.Sscanf(bunzip, "%x", &old)
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(path+".1.bz2", old, 0o600))
	l := open(t, path)
	both(t, "bzip2", l, reading.Filter{}, ids(0, 2))
	if err := l.Err(); err == nil || !strings.Contains(err.Error(), "audit.jsonl.2.xz is not read to its end: rolecall cannot read this form of compression") {
		t.Error(err)
	}
}

// TestBroken: what is whole in a broken archive is read, and an error names the archive.
func TestBroken(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl": lines(1000, 1001), "audit.jsonl.3.gz": "", "audit.jsonl.2.gz": lines(0, 1000)})
	archive, err := os.Stat(path + ".2.gz")
	kit.Must(t, err)
	kit.Must(t, os.Truncate(path+".2.gz", archive.Size()/2))
	kit.Must(t, os.WriteFile(path+".1.gz", []byte("no archive"), 0o600))
	l := open(t, path)
	for _, got := range [][]string{oldest(l, reading.Filter{}), newest(l, reading.Filter{})} {
		if len(got) < 100 || len(got) > 1000 || !slices.Contains(got, "0") || !slices.Contains(got, "1000") {
			t.Errorf("%d lines: %q", len(got), got[:min(9, len(got))])
		}
	}
	for _, want := range []string{"audit.jsonl.1.gz is not read to its end: gzip: invalid header", "audit.jsonl.2.gz is not read to its end: unexpected EOF"} {
		if err := l.Err(); err == nil || strings.Count(err.Error(), want) != 2 || strings.Contains(err.Error(), ".3.gz") {
			t.Errorf("want %q twice in\n%v", want, err)
		}
	}
}

// TestUnread: lines that are cut, foreign or of a newer version are passed over and counted.
func TestUnread(t *testing.T) {
	t.Parallel()
	bad := strings.Join([]string{
		line(1)[:40], line(2)[:60] + `{"file":"}`, // cut
		"text", `{"level":"info"}`, strings.Repeat("\x00", 5000), `[1]`, strings.Repeat("x", 300<<10), `{"time":7,"event":"ended"}`, // foreign
		"", // no line
		strings.Replace(line(3), "ended", "melted", 1),
		strings.Replace(line(4), `{"time"`, `{"new":{"a":[1]},"time"`, 1),
	}, "\n")
	want := reading.Unread{Cut: 2, Foreign: 6, Newer: 1}
	for name, files := range map[string]map[string]string{
		"plain": {"audit.jsonl": line(0) + bad + line(5)}, "compressed": {"audit.jsonl.1.gz": line(0) + bad + line(5)},
	} {
		l := open(t, newLog(t, files))
		if got := oldest(l, reading.Filter{}); !slices.Equal(got, []string{"0", "4", "5"}) || l.Unread() != want || want.Lines() != 9 {
			t.Errorf("%s: %q, %+v", name, got, l.Unread())
		}
		if got := newest(l, reading.Filter{}); !slices.Equal(got, []string{"5", "4", "0"}) || l.Unread() != want {
			t.Errorf("%s: the newest first: %q, %+v", name, got, l.Unread())
		}
		oldest(l, reading.Filter{Any: [][]byte{reading.Field("job_id", "5")}})
		if l.Unread() != (reading.Unread{Cut: 1, Foreign: 4}) {
			t.Errorf("%s: a filter: %+v", name, l.Unread())
		}
	}
}

// TestFilter: what a filter wants is found, by texts and by time.
func TestFilter(t *testing.T) {
	t.Parallel()
	l := open(t, newLog(t, map[string]string{"audit.jsonl": lines(20, 30), "audit.jsonl.1": lines(10, 20), "audit.jsonl.2.gz": lines(0, 10)}))
	at := func(id int) time.Time { return start.Add(time.Duration(id) * time.Second) }
	for name, test := range map[string]struct {
		f    reading.Filter
		want []string
	}{
		"a field":     {reading.Filter{Any: [][]byte{reading.Field("job_id", "7")}}, []string{"7"}},
		"two":         {reading.Filter{Any: [][]byte{reading.Value("7"), reading.Value("17")}}, []string{"7", "17"}},
		"an event":    {reading.Filter{Any: reading.Of(audit.Issued, audit.Ended)}, ids(0, 30)},
		"no event":    {reading.Filter{Any: reading.Of(audit.Issued)}, nil},
		"not escaped": {reading.Filter{Any: [][]byte{reading.Field("tenant", "a<b")}}, ids(0, 30)},
		"since":       {reading.Filter{Since: at(12)}, ids(12, 30)},
		"until":       {reading.Filter{Until: at(12)}, ids(0, 13)},
		"all":         {reading.Filter{Since: at(9), Until: at(21), Any: [][]byte{[]byte(`1"`)}}, []string{"11", "21"}},
	} {
		both(t, name, l, test.f, test.want)
		if l.Err() != nil || l.Unread().Lines() > 0 {
			t.Errorf("%s: %v, %+v", name, l.Err(), l.Unread())
		}
	}
}

// TestStops: a caller that has enough gets no more, and files that are too old or too new are
// not read: here they are broken, which nobody sees.
func TestStops(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl": lines(3*3600, 3*3600+9) + "x\n", "audit.jsonl.1.gz": lines(0, 9)})
	kit.Must(t, os.Truncate(path+".1.gz", 80))
	kit.Must(t, os.Chtimes(path+".1.gz", start, start))
	l := open(t, path)
	if got := newest(l, reading.Filter{Since: start.Add(3 * time.Hour)}); len(got) != 9 || l.Err() != nil {
		t.Errorf("%q, %v", got, l.Err())
	}
	if oldest(l, reading.Filter{Until: start}); l.Unread().Foreign > 0 || l.Err() == nil {
		t.Errorf("the new file was read: %+v, %v", l.Unread(), l.Err())
	}
	n := 0
	for range l.Newest(reading.Filter{}) {
		n++
		break
	}
	for range l.Oldest(reading.Filter{}) {
		n++
		break
	}
	if n != 2 {
		t.Errorf("%d events, want two", n)
	}
}

// TestOldInOne: of a log that was never rotated, what is long before Since is not read.
func TestOldInOne(t *testing.T) {
	t.Parallel()
	l := open(t, newLog(t, map[string]string{"audit.jsonl": "x\n" + lines(0, 9) + `{"time":"1999-01-01T00:00:00` + "\"}\n" + lines(2*3600, 2*3600+3)}))
	if got := newest(l, reading.Filter{Since: start.Add(2 * time.Hour)}); len(got) != 3 || l.Unread() != (reading.Unread{Foreign: 1}) {
		t.Errorf("%q, %+v", got, l.Unread())
	}
}
