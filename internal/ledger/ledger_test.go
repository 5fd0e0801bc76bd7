package ledger_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/ledger"
)

// hash is the form of a hash.
var hash = strings.Repeat("0a", 32)

// full returns a ledger with an entry of each alphabet.
func full() ledger.Ledger {
	at := time.Unix(1_900_000_000, 0)
	return ledger.Ledger{Key: bytes.Repeat([]byte{7}, 32), Entries: []ledger.Entry{
		{at, 7, "access key id", ledger.Clear, 20, "ASIAQ3XYZ7ABCDEFGHIJ"},
		{at.Add(time.Hour), 7, "secret access key", ledger.Base64, 40, hash},
		{at, 8, "session token", ledger.Base64URL, 16 << 10, hash},
		{at, 8, "other", ledger.Both, 8, hash},
	}}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, want := range []ledger.Ledger{full(), {Key: full().Key}} {
		got, err := ledger.Parse(want.Encode())
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("encoded (-) and parsed (+), %v:\n%s", err, diff)
		}
	}
}

// TestParseRefuses: what was not written by Encode is an error, wherever it differs.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const first, cut = "line 1 is not that of a ledger of this version", "it is cut short, or not as it was written"
	good := string(full().Encode())
	lines := strings.SplitAfter(good, "\n")
	change := func(from, to string) string {
		if !strings.Contains(good, from) {
			t.Fatalf("no %q in the ledger", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	for name, test := range map[string]struct{ text, want string }{
		"empty":                 {"", first},
		"garbage":               {"\x00\xff", first},
		"another version":       {change("ledger 1", "ledger 2"), first},
		"no key":                {"rolecall ledger 1 \n", first},
		"a short key":           {change("0707", "07"), first},
		"a key of other digits": {change("07", "0g"), first},
		"capital digits":        {change(lines[0], strings.ReplaceAll(lines[0], "07", "0A")), cut},
		"no newline":            {strings.TrimSuffix(good, "\n"), cut},
		"half a line":           {good[:len(good)-10], cut},
		"a blank line":          {change("\n", "\n\n"), "line 2 is broken"},
		"five fields":           {change("\t20\t", "\t"), "line 2 is broken"},
		"seven fields":          {change("\t20\t", "\t20\t20\t"), "line 2 is broken"},
		"no time":               {change("1900000000", "soon"), "line 2 is broken"},
		"no job":                {change("\t7\t", "\t\t"), "line 2 is broken"},
		"a job with a sign":     {change("\t7\t", "\t+7\t"), cut},
		"no kind":               {change("access key id", ""), "line 2 is broken"},
		"another alphabet":      {change("base64url", "hex"), "line 4 is broken"},
		"another length":        {change("\t20\t", "\t21\t"), "line 2 is broken"},
		"a short length":        {change("both\t8", "both\t7"), "line 5 is broken"},
		"a long length":         {change("16384", "16385"), "line 4 is broken"},
		"a short hash":          {change(hash, hash[2:]), "line 3 is broken"},
		"no hash":               {change(hash, strings.Repeat("x", 64)), "line 3 is broken"},
	} {
		l, err := ledger.Parse([]byte(test.text))
		if err == nil || err.Error() != test.want || len(l.Entries) > 0 {
			t.Errorf("%s: %v with %d entries, want %q", name, err, len(l.Entries), test.want)
		}
	}
}

// TestAt: what has expired is gone, and what has just expired stays, since clocks differ.
func TestAt(t *testing.T) {
	t.Parallel()
	l := full()
	at := l.Entries[0].Expires
	for later, want := range map[time.Duration]int{-time.Hour: 4, 0: 4, 5 * time.Minute: 4, 6 * time.Minute: 1, time.Hour: 1, 66 * time.Minute: 0} {
		if got := l.At(at.Add(later)); len(got.Entries) != want || !bytes.Equal(got.Key, l.Key) {
			t.Errorf("after %v: %d entries, want %d", later, len(got.Entries), want)
		}
	}
	if len(l.Entries) != 4 || l.Entries[0].Says() != "access key id of job 7" {
		t.Errorf("the ledger has changed: %+v", l)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(full().Encode())
	f.Add([]byte("rolecall ledger 1 " + strings.Repeat("07", 32) + "\n-1\t-1\tk\tclear\t8\t\xff\xff\xff\xff\xff\xff\xff\xff\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := ledger.Parse(text)
		if err == nil && !bytes.Equal(l.Encode(), text) {
			t.Errorf("%q is written as %q", text, l.Encode())
		}
	})
}

func BenchmarkParse(b *testing.B) {
	l := full()
	for range 250 {
		l.Entries = append(l.Entries, full().Entries...)
	}
	text := l.Encode()
	for b.Loop() {
		if _, err := ledger.Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
