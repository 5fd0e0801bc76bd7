package run_test

import (
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/endpoint"
	"rolecall/internal/job"
	"rolecall/internal/ledger"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestKeptWithoutLedger: if the ledger has gone while the job ran, a renewed credential begins
// a new one, which can be read.
func TestKeptWithoutLedger(t *testing.T) {
	if !beside(t, endpoint.Program) {
		return
	}
	c := newCallWith(t, "alpha", "build_script", creds.Set{served(50 * time.Minute)}, order()).audited(t)
	m := renewed(func(*creds.Credential) {})
	m.Renewed.Entries = []ledger.Entry{{
		Expires: time.Now().Add(time.Hour).Truncate(time.Second), Job: 7, Kind: "key id", Alphabet: ledger.Clear, Length: 20, Text: "ASIAIOSFODNN7EXAMPLE",
	}}
	if a, got := ask(t, c, m, func() {}); !a.Kept {
		t.Errorf("%+v, %+v", a, got)
	}
	f, err := state.Find(c.root, job.Key{ID: 7})
	kit.Must(t, err)
	defer f.Close()
	l, err := f.Ledger()
	if err != nil || len(l.Entries) != 1 || len(l.Key) != ledger.KeyLen {
		t.Errorf("the ledger has %d entries and a key of %d bytes, %v", len(l.Entries), len(l.Key), err)
	}
}
