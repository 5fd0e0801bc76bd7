package seal_test

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
	"rolecall/internal/ledger"
	"rolecall/internal/ledger/seal"
	"rolecall/internal/mask"
)

const (
	keyID   = "ASIA" + "Q3XYZ7ABCDEFGHIJ"
	secret  = "abcdefghijklmnopqrst" + "ABCDEFGH/JKLMNOP+RST"
	session = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUC=="
	jwt     = "eyJhbGciOiJIUzUxMiJ9.eyJhY2Nlc3NLZXki-_MiJ9.c2lnbmF0dXJl"
)

// set returns a credential with these secrets, whose key id is a fact.
func set(secrets ...string) creds.Set {
	c := creds.Credential{Provider: "aws", Facts: creds.Facts{{Name: "access_key_id", Value: keyID}}, Expires: time.Unix(1_900_000_000, 5)}
	for i, s := range secrets {
		c.Secrets = append(c.Secrets, mask.Named{Kind: fmt.Sprint("secret ", i), Value: mask.NewSecret(s)})
	}
	return creds.Set{c}
}

// add returns a ledger with what was issued to job 7.
func add(secrets ...string) ledger.Ledger {
	return seal.Add(ledger.Ledger{}, 7, set(secrets...), time.Now())
}

// TestAdd: what an entry says, and what it does not.
func TestAdd(t *testing.T) {
	t.Parallel()
	l := add(keyID, secret, session, jwt, "a/b-c_d+e.f/g-h_i+", "too-short", "with a blank in it", "a:colon:in:between", strings.Repeat("a", 16<<10+1))
	text := string(l.Encode())
	for _, hidden := range []string{secret, session, session[:30], jwt, jwt[:20], "too-short", "blank", "colon"} {
		if strings.Contains(text, hidden) {
			t.Errorf("the ledger has %q:\n%s", hidden, text)
		}
	}
	var got []string
	for _, e := range l.Entries {
		got = append(got, fmt.Sprint(e.Kind, " ", e.Alphabet, " ", e.Length, " ", e.Job, " ", e.Expires.UTC().Unix()))
	}
	want := []string{
		"secret 0 clear 20 7 1900000000", "secret 1 base64 40 7 1900000000", "secret 2 base64 52 7 1900000000",
		"secret 3 base64url 56 7 1900000000", "secret 4 both 18 7 1900000000",
	}
	if !slices.Equal(got, want) || l.Entries[0].Text != keyID {
		t.Errorf("entries\n\t%q, want\n\t%q", got, want)
	}
	if again, err := ledger.Parse(l.Encode()); err != nil || len(again.Entries) != len(want) {
		t.Errorf("%d entries are read, %v", len(again.Entries), err)
	}
}

// TestKey: each ledger has a key of its own, which stays.
func TestKey(t *testing.T) {
	t.Parallel()
	one, other := add(secret), add(secret)
	if string(one.Key) == string(other.Key) || len(one.Key) != 32 || one.Entries[0].Text == other.Entries[0].Text {
		t.Error("two ledgers have one key")
	}
	more := seal.Add(one, 8, set(secret), time.Now())
	if string(more.Key) != string(one.Key) || len(more.Entries) != 2 || more.Entries[1].Text != one.Entries[0].Text || more.Entries[1].Job != 8 {
		t.Errorf("with another job: %+v", more)
	}
}

// TestForever: what does not expire is in the ledger for a year.
func TestForever(t *testing.T) {
	t.Parallel()
	s, now := set(secret), time.Unix(1_800_000_000, 0)
	s[0].Expires = time.Time{}
	if got := seal.Add(ledger.Ledger{}, 7, s, now).Entries[0].Expires; got.Sub(now) != 365*24*time.Hour {
		t.Errorf("expires %v", got)
	}
}

// find returns what is found of a ledger in a text, sorted.
func find(l ledger.Ledger, text string, own ...mask.Named) []string {
	index := seal.NewIndex(l, own)
	if index == nil {
		return []string{"no index"}
	}
	var all []string
	index.Search().Find([]byte(text), 0, len(text), func(at int, kind string) { all = append(all, fmt.Sprint(at, " ", kind)) })
	slices.Sort(all)
	return all
}

// TestFind: secrets are found as they are, between other bytes.
func TestFind(t *testing.T) {
	t.Parallel()
	l := add(keyID, secret, session, jwt)
	const id, key, tok, web = "secret 0 of job 7", "secret 1 of job 7", "secret 2 of job 7", "secret 3 of job 7"
	for text, want := range map[string][]string{
		"":                                       nil,
		secret:                                   {"0 " + key},
		"AWS_SECRET_ACCESS_KEY=" + secret + "\n": {"22 " + key},
		`{"a":"` + session + `","b":"` + secret + `"}`: {"67 " + key, "6 " + tok},
		"export AWS_SESSION_TOKEN=" + session:          {"25 " + tok},
		session[:len(session)-2]:                       {"0 " + tok},
		"TOKEN=" + jwt + " ":                           {"6 " + web},
		"https://x/?X-Amz-Credential=" + keyID + "/2":  {"28 " + id},
		"(" + keyID + "." + keyID + ")":                {"1 " + id, "22 " + id},
		"x" + keyID:                                    nil,
		keyID + "0":                                    nil,
		"x" + secret:                                   nil,
		secret + "x":                                   nil,
		secret[:39]:                                    nil,
		secret[1:]:                                     nil,
		jwt + ".x":                                     nil,
		base64.StdEncoding.EncodeToString([]byte(secret)): nil,
	} {
		slices.Sort(want)
		if got := find(l, text); !slices.Equal(got, want) {
			t.Errorf("%q: found %q, want %q", text, got, want)
		}
	}
}

// TestOwn: what is a secret of the job itself is not of another job.
func TestOwn(t *testing.T) {
	t.Parallel()
	l := add(keyID, secret, session)
	var own []mask.Named
	for _, s := range []string{keyID, secret, session} {
		own = append(own, mask.Named{Kind: "own", Value: mask.NewSecret(s)})
	}
	if got := find(l, keyID+" "+secret+" "+session, own[:2]...); !slices.Equal(got, []string{"62 secret 2 of job 7"}) {
		t.Errorf("found %q", got)
	}
	if got := find(l, keyID, own...); got[0] != "no index" {
		t.Errorf("found %q", got)
	}
	if got := find(ledger.Ledger{}, keyID); got[0] != "no index" {
		t.Errorf("in an empty ledger %q", got)
	}
}

// TestReach: no more of a text is needed around a secret than Reach says.
func TestReach(t *testing.T) {
	t.Parallel()
	index := seal.NewIndex(add(keyID, secret, session), nil)
	text := strings.Repeat("x", 100) + " " + session + " " + strings.Repeat("x", 100)
	for _, cut := range []string{text[101-index.Reach() : 101+index.Reach()], text} {
		count := 0
		index.Search().Find([]byte(cut), 0, len(cut), func(int, string) { count++ })
		if count != 1 {
			t.Errorf("in %q: %d", cut, count)
		}
	}
}

// BenchmarkFind searches texts without and with many runs that have the length of a secret.
func BenchmarkFind(b *testing.B) {
	l := add(keyID, secret, session)
	for job := range int64(100) {
		l = seal.Add(l, job, set("ASIA"+rand.Text()[:16], rand.Text()+rand.Text()[:14], rand.Text()+rand.Text()+rand.Text()), time.Now())
	}
	for name, line := range map[string]string{
		"code":   "func (w *worker) searchName(name string) { w.names.Reset() } // HTTP_PROXY=https://registry.npmjs.org/\n",
		"hashes": "\"resolved\": \"https://codeload.example/tar.gz/0123456789abcdef0123456789abcdef01234567#0123456789abcdef0123456789abcdef01234567\"\n",
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(strings.Repeat(line, 10_000))
			search := seal.NewIndex(l, nil).Search()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				search.Find(text, 0, len(text), func(int, string) { b.Fatal("a secret in code") })
			}
		})
	}
}
