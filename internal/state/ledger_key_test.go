package state_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/internal/ledger"
	"rolecall/test/kit"
)

// TestLedgerKey: no change takes the key of the ledger away or gives it another one: nobody
// could find the secrets of the other entries.
func TestLedgerKey(t *testing.T) {
	t.Parallel()
	with := func(key string) func(ledger.Ledger) ledger.Ledger {
		return func(l ledger.Ledger) ledger.Ledger {
			l = entering(8, time.Hour)(l)
			l.Key = []byte(key)
			return l
		}
	}
	for name, test := range map[string]struct {
		there     bool
		key, want string
	}{
		"the same":          {true, strings.Repeat("k", 32), ""},
		"the first":         {false, strings.Repeat("x", 32), ""},
		"another":           {true, strings.Repeat("x", 32), "was replaced by another one while the job ran"},
		"none any more":     {true, "", "has no key"},
		"none, as at first": {false, "", "has no key"},
	} {
		p := newPlace(t)
		f := create(t, p, 7)
		if test.there {
			kit.Must(t, f.Enter(entering(7, time.Hour)))
		}
		path := filepath.Join(p.root, "ledger")
		before, _ := os.ReadFile(path)
		err := f.Enter(with(test.key))
		after, _ := os.ReadFile(path)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want) || string(before) != string(after)) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}
