package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"

	"rolecall/internal/ledger"
	"rolecall/internal/mask"
	"rolecall/internal/runs"
)

// Index is what a ledger has hashes of. It does not change, so any goroutine may use it.
type Index struct {
	key    []byte
	groups []group
	reach  int
}

// group is the entries of one alphabet.
type group struct {
	alphabet

	kinds   map[string]string // by hash, as bytes; by text for what is in the clear
	lengths map[int]bool
	least   int // of the lengths
}

// searched returns the alphabets to search in. What is in the clear is between bytes that
// are neither letters nor digits.
func searched() []alphabet { return append(alphabets(), alphabet{ledger.Clear, runs.Of(alphanumeric)}) }

// NewIndex returns what to find of a ledger, except the secrets own. It returns nil if
// there is nothing.
func NewIndex(l ledger.Ledger, own []mask.Named) *Index {
	x := &Index{key: l.Key}
	known := map[string]bool{}
	for _, secret := range own {
		known[secret.Value.Reveal()], known[sum(l.Key, strings.TrimRight(secret.Value.Reveal(), "="))] = true, true
	}
	for _, a := range searched() {
		g := group{a, map[string]string{}, map[int]bool{}, longest}
		for _, e := range l.Entries {
			if e.Alphabet == a.name && !known[e.Text] {
				g.kinds[g.keyOf(e)], g.lengths[e.Length] = e.Says(), true
				g.least, x.reach = min(g.least, e.Length), max(x.reach, e.Length+1)
			}
		}
		if len(g.kinds) > 0 {
			x.groups = append(x.groups, g)
		}
	}
	if len(x.groups) == 0 {
		return nil
	}
	return x
}

// keyOf returns what an entry is looked up by.
func (g group) keyOf(e ledger.Entry) string {
	if g.name == ledger.Clear {
		return e.Text
	}
	hash, _ := hex.DecodeString(e.Text) // ledger.Parse has checked it
	return string(hash)
}

// Search finds what an Index has. Only one goroutine may use it.
type Search struct {
	*Index

	mac  hash.Hash
	last []byte // the last hash
}

// Search returns a search for one goroutine.
func (x *Index) Search() *Search { return &Search{x, hmac.New(sha256.New, x.key), nil} }

// Reach returns how many bytes before and after the beginning of a secret Find must see.
func (x *Index) Reach() int { return x.reach }

// Find calls found for each secret that begins in text[from:to], with its index in text
// and what it is. A secret counts as it is, between bytes that are not of its alphabet.
// Find makes the hash of each such run that has the length of a secret. Of what is in the
// clear it compares the text.
func (s *Search) Find(text []byte, from, to int, found func(at int, kind string)) {
	for _, g := range s.groups {
		for start, end := range g.In(text, from, to, g.least) {
			if !g.lengths[end-start] {
				continue
			}
			if kind := g.kinds[string(s.hashed(g, text[start:end]))]; kind != "" {
				found(start, kind)
			}
		}
	}
}

// hashed returns what a run is looked up by. It is valid until the next call.
func (s *Search) hashed(g group, run []byte) []byte {
	if g.name == ledger.Clear {
		return run
	}
	s.mac.Reset()
	_, _ = s.mac.Write(run)
	s.last = s.mac.Sum(s.last[:0])
	return s.last
}
