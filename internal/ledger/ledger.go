// Package ledger is the form of the ledger: what was issued on a host and has not expired.
// It discloses no secret. Of each secret it has a keyed hash and the length, and of what is
// no secret, such as an access key id, the text.
//
// The ledger is a text. Its first line has its version and the key of its hashes. Each other
// line is an entry, whose fields are separated by tabs: when it expires, in seconds since
// 1970; the id of the job; the kind; the alphabet; the length; the text or the hash.
//
// Package seal makes and compares the hashes: this package links no cryptography.
package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rolecall/internal/mask"
)

// KeyLen is the length of the key of a ledger, and of a hash, in bytes.
const KeyLen = 32

const (
	header  = "rolecall ledger 1 " // before the key
	longest = 16 << 10             // length of a secret, in bytes
	// margin is how long an entry stays after it has expired: clocks differ.
	margin = 5 * time.Minute
)

// The alphabets of entries.
const (
	Clear     = "clear"     // Text is the text itself
	Base64    = "base64"    // the secret consists of letters, digits, + and /
	Base64URL = "base64url" // of letters, digits, -, _ and .
	Both      = "both"      // of all of these
)

// Ledger is what was issued. A zero Ledger is empty, and has no key.
type Ledger struct {
	Key     []byte // of the hashes, 32 random bytes
	Entries []Entry
}

// Entry is one text of a credential.
type Entry struct {
	Expires  time.Time // in whole seconds
	Job      int64     // the id of the job that the credential was issued to
	Kind     string    // such as "secret access key"
	Alphabet string    // Clear, Base64, Base64URL or Both
	Length   int       // of the text, in bytes, without = at its end
	Text     string    // the text, or its hash in hex
}

// Encode returns the ledger as Parse reads it.
func (l Ledger) Encode() []byte {
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s%x\n", header, l.Key)
	for _, e := range l.Entries {
		fmt.Fprintf(&text, "%d\t%d\t%s\t%s\t%d\t%s\n", e.Expires.Unix(), e.Job, e.Kind, e.Alphabet, e.Length, e.Text)
	}
	return text.Bytes()
}

// Parse reads a ledger. Any text that Encode does not write is an error, which names the
// line and quotes nothing.
func Parse(text []byte) (Ledger, error) {
	lines := strings.SplitAfter(string(text), "\n")
	var l Ledger
	key, ok := strings.CutPrefix(strings.TrimSuffix(lines[0], "\n"), header)
	l.Key, _ = hex.DecodeString(key)
	if !ok || len(l.Key) != KeyLen {
		return Ledger{}, errors.New("line 1 is not that of a ledger of this version")
	}
	for i, line := range lines[1 : len(lines)-1] {
		e, err := parseEntry(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return Ledger{}, fmt.Errorf("line %d is broken", i+2)
		}
		l.Entries = append(l.Entries, e)
	}
	if !bytes.Equal(l.Encode(), text) {
		return Ledger{}, errors.New("it is cut short, or not as it was written")
	}
	return l, nil
}

// errEntry says that a line is no entry.
var errEntry = errors.New("no entry")

// parseEntry reads the line of an entry.
func parseEntry(line string) (Entry, error) {
	fields := strings.Split(line, "\t")
	if len(fields) != 6 {
		return Entry{}, errEntry
	}
	expires, expiresErr := strconv.ParseInt(fields[0], 10, 64)
	job, jobErr := strconv.ParseInt(fields[1], 10, 64)
	length, lengthErr := strconv.Atoi(fields[4])
	e := Entry{time.Unix(expires, 0), job, fields[2], fields[3], length, fields[5]}
	if err := errors.Join(expiresErr, jobErr, lengthErr); err != nil || !e.valid() {
		return Entry{}, errEntry
	}
	return e, nil
}

// valid reports whether an entry can be searched for.
func (e Entry) valid() bool {
	if e.Kind == "" || e.Length < mask.MinLen || e.Length > longest {
		return false
	}
	if e.Alphabet == Clear {
		return len(e.Text) == e.Length
	}
	hash, err := hex.DecodeString(e.Text)
	return err == nil && len(hash) == KeyLen && slices.Contains([]string{Base64, Base64URL, Both}, e.Alphabet)
}

// At returns the ledger without the entries that have expired at a time.
func (l Ledger) At(now time.Time) Ledger {
	l.Entries = slices.DeleteFunc(slices.Clone(l.Entries), func(e Entry) bool { return now.After(e.Expires.Add(margin)) })
	return l
}

// Says returns what an entry is, for the job log.
func (e Entry) Says() string { return fmt.Sprintf("%s of job %d", e.Kind, e.Job) }
