package reading_test

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"rolecall/internal/audit/reading"
	"rolecall/test/kit"
)

// unlimited is more than any log of these tests has.
const unlimited = 1 << 30

// from returns the ids of the lines behind a place, as another process reads them: the place
// comes from a file.
func from(t *testing.T, path string, place *reading.Place, most int64) ([]string, error) {
	t.Helper()
	text, err := json.Marshal(place)
	kit.Must(t, err)
	var kept reading.Place
	kit.Must(t, json.Unmarshal(text, &kept))
	*place = kept
	l, err := reading.OpenAt(path, *place)
	kit.Must(t, err)
	defer l.Close()
	var all []string
	for e := range l.From(place, most) {
		all = append(all, e.JobID)
	}
	return all, l.Err()
}

// add appends a text to a file.
func add(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	kit.Must(t, err)
	_, err = f.WriteString(text)
	kit.Must(t, err)
	kit.Must(t, f.Close())
}

// TestPlace: each line is read once, whatever happens to the files between.
func TestPlace(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl.1": lines(100, 200)})
	var place reading.Place
	next := 0
	rename := func() { kit.Must(t, os.Rename(path, path+".1")) }
	for _, step := range []struct {
		name string
		do   func()
		want int // lines
	}{
		{"no log", func() {}, 0},
		{"an empty log", func() { add(t, path, "") }, 0},
		{"a log", func() { add(t, path, lines(0, 3)) }, 3},
		{"the same", func() {}, 0},
		{"half a line", func() { add(t, path, line(3)[:50]) }, 0},
		{"and its end", func() { add(t, path, line(3)[50:]) }, 1},
		{"a cut line", func() { add(t, path, line(9)[:50]+"\n"+line(4)) }, 1},
		{"renamed", rename, 0},
		{"renamed, and a new log", func() { add(t, path, line(5)) }, 1},
		{"lines in both", func() { add(t, path, line(6)); rename(); add(t, path, lines(7, 9)) }, 3},
		{"compressed", func() {
			add(t, path, line(9))
			text, err := os.ReadFile(path)
			kit.Must(t, err)
			kit.Must(t, os.Rename(path+".1", path+".2"))
			kit.Must(t, os.WriteFile(path+".1.gz", squeezed(string(text)), 0o600))
			kit.Must(t, os.Remove(path))
		}, 1},
		{"compressed, and a new log", func() { add(t, path, lines(10, 12)) }, 2},
	} {
		step.do()
		got, err := from(t, path, &place, unlimited)
		if want := ids(next, next+step.want); !slices.Equal(got, want) || err != nil {
			t.Fatalf("%s: %q, want %q: %v", step.name, got, want, err)
		}
		next += step.want
	}
	end, err := reading.End(path)
	if err != nil || end != place {
		t.Errorf("the end is %+v, and not %+v: %v", end, place, err)
	}
}

// TestPlaceInSteps: no more is read at once than is wanted, but a line, over all files.
func TestPlaceInSteps(t *testing.T) {
	t.Parallel()
	path := newLog(t, map[string]string{"audit.jsonl": lines(20, 30), "audit.jsonl.1.gz": lines(10, 20), "audit.jsonl.2": lines(0, 10)})
	first, err := reading.Open(path)
	kit.Must(t, err)
	defer first.Close()
	var place reading.Place
	kit.Must(t, os.Rename(path, path+".0"))
	kit.Must(t, os.Rename(path+".2", path))
	if got, err := from(t, path, &place, 1); !slices.Equal(got, ids(0, 1)) || err != nil { // the place is in the oldest file
		t.Fatalf("%q, %v", got, err)
	}
	kit.Must(t, os.Rename(path, path+".2"))
	kit.Must(t, os.Rename(path+".0", path))
	for next := 1; next < 30; {
		got, err := from(t, path, &place, int64(2*len(line(10))-9))
		if n := len(got); n < 1 || n > 2 || err != nil || !slices.Equal(got, ids(next, next+n)) {
			t.Fatalf("behind %d: %q, %v", next, got, err)
		}
		next += len(got)
	}
}

// TestLost: a place in a file that was removed, emptied or cut is lost, and nothing is returned.
func TestLost(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(t *testing.T, path string){
		"removed": func(t *testing.T, path string) {
			t.Helper()
			kit.Must(t, os.Remove(path))
			add(t, path, lines(10, 12))
		},
		"emptied": func(t *testing.T, path string) {
			t.Helper()
			kit.Must(t, os.Truncate(path, 0))
		},
		"emptied, and written": func(t *testing.T, path string) {
			t.Helper()
			kit.Must(t, os.Truncate(path, 0))
			add(t, path, lines(10, 12))
		},
		"cut, and rotated": func(t *testing.T, path string) {
			t.Helper()
			kit.Must(t, os.Truncate(path, int64(len(line(0))+5)))
			kit.Must(t, os.Rename(path, path+".1"))
			add(t, path, lines(10, 12))
		},
		"cut": func(t *testing.T, path string) {
			t.Helper()
			kit.Must(t, os.Truncate(path, int64(len(line(0))+5)))
		},
	} {
		path := newLog(t, map[string]string{"audit.jsonl": lines(0, 9)})
		place, err := reading.End(path)
		kit.Must(t, err)
		do(t, path)
		if got, err := from(t, path, &place, unlimited); len(got) > 0 || !errors.Is(err, reading.ErrLost) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		place, err = reading.End(path)
		kit.Must(t, err)
		add(t, path, "\n"+line(12))
		if got, err := from(t, path, &place, unlimited); !slices.Equal(got, ids(12, 13)) || err != nil {
			t.Errorf("%s, and from the end on: %q, %v", name, got, err)
		}
	}
}

// TestEnd: the end is behind the last whole line. A log without one has none.
func TestEnd(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"": 0, "x": 0, line(0): int64(len(line(0))), line(0) + "x": int64(len(line(0)))} {
		place, err := reading.End(newLog(t, map[string]string{"audit.jsonl": text}))
		if err != nil || place.Offset != want || (place.File == "") != (want == 0) {
			t.Errorf("%q: %+v, %v", text, place, err)
		}
	}
	if place, err := reading.End(newLog(t, nil)); err != nil || place != (reading.Place{}) {
		t.Errorf("no log: %+v, %v", place, err)
	}
}
