// Package seal makes the keyed hashes of the ledger, and finds in a text the secrets whose
// hashes the ledger has.
package seal

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/ledger"
	"rolecall/internal/mask"
	"rolecall/internal/runs"
)

const (
	// shortest is the length of the shortest secret that has an entry, in bytes. Words of a
	// text are shorter, and a hash would not hide a word.
	shortest     = 16
	longest      = 16 << 10
	alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	// forever is how long an entry stays whose credential does not expire.
	forever = 365 * 24 * time.Hour
)

// alphabets returns the alphabets of secrets, the smallest first. Their names are those of
// package ledger.
func alphabets() []alphabet {
	return []alphabet{
		{ledger.Base64, runs.Of(alphanumeric, "+/")},
		{ledger.Base64URL, runs.Of(alphanumeric, "-_.")},
		{ledger.Both, runs.Of(alphanumeric, "+/-_.")},
	}
}

// alphabet is an alphabet with its name.
type alphabet struct {
	name string
	*runs.Alphabet
}

// Add returns the ledger with the secrets of what is issued to a job. A ledger without a
// key gets a random one. A secret that is also a fact, as an access key id is, is no
// secret for the ledger. A secret gets no entry if it has other characters than base64 and
// base64url, or not 16 to 16384 of them: in a text nothing would show where it ends.
func Add(l ledger.Ledger, job int64, set creds.Set, now time.Time) ledger.Ledger {
	if l.Key == nil {
		l.Key = make([]byte, sha256.Size)
		rand.Read(l.Key)
	}
	for _, c := range set {
		expires := c.Expires
		if expires.IsZero() {
			expires = now.Add(forever)
		}
		for _, secret := range c.Secrets {
			if e, ok := entry(l.Key, c.Facts, secret); ok {
				e.Job, e.Expires = job, expires.Truncate(time.Second)
				l.Entries = append(l.Entries, e)
			}
		}
	}
	return l
}

// entry returns the entry of a secret, and whether it has one.
func entry(key []byte, facts creds.Facts, secret mask.Named) (ledger.Entry, bool) {
	text := secret.Value.Reveal()
	isFact := slices.ContainsFunc(facts, func(f creds.Fact) bool { return f.Value == text })
	if isFact && runs.Of(alphanumeric).Has(text) {
		return ledger.Entry{Kind: secret.Kind, Alphabet: ledger.Clear, Length: len(text), Text: text}, true
	}
	text = strings.TrimRight(text, "=")
	for _, a := range alphabets() {
		if a.Has(text) && len(text) >= shortest && len(text) <= longest {
			return ledger.Entry{Kind: secret.Kind, Alphabet: a.name, Length: len(text), Text: sum(key, text)}, true
		}
	}
	return ledger.Entry{}, false
}

// sum returns the hash of a text, in hex.
func sum(key []byte, text string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}
