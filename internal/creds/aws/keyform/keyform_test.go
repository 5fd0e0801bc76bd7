package keyform_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/creds/aws/keyform"
)

// Keys that nobody has issued. They are in two parts, so that nobody takes them for keys.
const (
	id     = "ASIA" + "Q3XYZ7ABCDEFGHIJ"
	secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCY" + "0123456789"
)

// token is a session token of AWS.
var token = strings.Repeat("IQoJb3JpZ2luX2Vj/+", 20) + "=="

// find returns what is found in the whole of a text, as kind and index.
func find(text string) []string {
	var all []string
	keyform.New().Find([]byte(text), 0, len(text), func(at int, kind string) { all = append(all, fmt.Sprint(kind, " ", at)) })
	return all
}

// gap returns n blanks.
func gap(n int) string { return strings.Repeat(" ", n) }

// check checks what is found in texts.
func check(t *testing.T, texts map[string][]string) {
	t.Helper()
	for text, want := range texts {
		if got := find(text); !slices.Equal(got, want) {
			t.Errorf("%.80q of %d bytes: found %q, want %q", text, len(text), got, want)
		}
	}
}

// TestFind: keys count in the forms in which tools write them, and what is like a key in
// part does not.
func TestFind(t *testing.T) {
	t.Parallel()
	const pair = keyform.KeyPair
	check(t, map[string][]string{
		"AWS_ACCESS_KEY_ID=" + id + "\nAWS_SECRET_ACCESS_KEY=" + secret + "\n":                {pair + " 18"},
		"[default]\naws_access_key_id = " + id + "\naws_secret_access_key = " + secret + "\n": {pair + " 30"},
		`{"AccessKeyId": "` + id + `", "SecretAccessKey": "` + secret + `"}`:                  {pair + " 17"},
		"Access key ID,Secret access key\r\n" + id + "," + secret + "\r\n":                    {pair + " 33"},
		id + " " + secret:              {pair + " 0"},
		secret + "\t" + id:             {pair + " 41"},
		"AKIA" + id[4:] + ":" + secret: {pair + " 0"},
		"https://" + id + ":" + strings.ReplaceAll(secret, "/", "a") + "@x": {pair + " 8"},
		id + gap(400) + secret:       {pair + " 0"},
		secret + gap(400) + id:       {pair + " 440"},
		id + " " + id + " " + secret: {pair + " 0", pair + " 21"},

		"":                                 nil,
		id:                                 nil,
		secret:                             nil,
		id + gap(401) + secret:             nil,
		secret + gap(401) + id:             nil,
		"ABIA" + id[4:] + " " + secret:     nil,
		id + "X " + secret:                 nil,
		"X" + id + " " + secret:            nil,
		id + "x " + secret:                 nil,
		"x" + id + " " + secret:            nil,
		id + "_ " + secret:                 nil,
		id[:19] + " " + secret:             nil,
		id + " " + secret[:39]:             nil,
		id + " " + secret + "x":            nil,
		id + " /" + secret:                 nil,
		strings.ToLower(id) + " " + secret: nil,
		id + " " + strings.ToLower(secret): nil, // like the hash of a commit
		id + " " + strings.ToUpper(secret): nil,
		"AKIAIOSFODNN7EXAMPLE " + secret:   nil,
		"ASIAI44QH8DHBEXAMPLE " + secret:   nil,
		id + " wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY":                          nil,
		"id: AKIAIOSFODNN7EXAMPLE\nkey: wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY": nil,
	})
}

// TestFindToken does the same for session tokens.
func TestFindToken(t *testing.T) {
	t.Parallel()
	const session = keyform.SessionToken
	check(t, map[string][]string{
		"AWS_SESSION_TOKEN=" + token:                        {session + " 18"},
		"export AWS_SESSION_TOKEN=\"" + token + "\"":        {session + " 26"},
		"aws_session_token = " + token:                      {session + " 20"},
		`"aws_session_token": "` + token + `"`:              {session + " 22"},
		`{\"AWS_SESSION_TOKEN\":\"` + token:                 {session + " 25"},
		"Aws_Security_Token: " + token:                      {session + " 20"},
		"aws_session_token=" + strings.Repeat("a1B", 34):    {session + " 18"},
		"aws_session_token=" + strings.Repeat("a1B-._", 40): {session + " 18"},

		"aws_session_token" + token:                      nil,
		"aws_session_token=" + strings.Repeat("a1B", 33): nil,
		"aws_session_token=" + strings.Repeat("a", 200):  nil,
		"aws_session_token=" + strings.Repeat("aB", 100): nil,
		"aws_session_token" + gap(40) + token:            nil,
		"session_token=" + token:                         nil,
		"aws_session_token=" + token + "EXAMPLE":         {session + " 18"}, // after ==, and so not of the token
		"aws_session_token=" + token[:300] + "EXAMPLE":   nil,
		"aws_session_token=\n" + token:                   nil,
	})
}

// TestFindPart: a key counts where it begins, and what is around the part counts for it.
func TestFindPart(t *testing.T) {
	t.Parallel()
	text := []byte(strings.Repeat("x", 500) + " " + secret + " " + id + " " + strings.Repeat("x", 500))
	at := strings.Index(string(text), id)
	for _, test := range []struct{ from, to, want int }{
		{0, len(text), 1}, {at, at + 1, 1}, {0, at, 0}, {at + 1, len(text), 0}, {at, at, 0}, {0, at + 1, 1},
	} {
		count := 0
		keyform.New().Find(text, test.from, test.to, func(int, string) { count++ })
		if count != test.want {
			t.Errorf("from %d to %d: %d keys, want %d", test.from-at, test.to-at, count, test.want)
		}
	}
}

// TestReach: with no more around it than Reach, a key is found.
func TestReach(t *testing.T) {
	t.Parallel()
	reach := keyform.New().Reach()
	for _, text := range []string{
		strings.Repeat("-", 500) + secret + strings.Repeat(" ", 400) + id + strings.Repeat("-", 500),
		strings.Repeat("-", 500) + id + strings.Repeat(" ", 400) + secret + strings.Repeat("-", 500),
		strings.Repeat("-", 500) + "AWS_SECURITY_TOKEN" + strings.Repeat("=", 8) + token,
	} {
		want := find(text)
		if len(want) != 1 {
			t.Fatalf("%q: found %q, want one key", text, want)
		}
		at := 0
		if _, err := fmt.Sscan(want[0][strings.LastIndex(want[0], " "):], &at); err != nil {
			t.Fatal(err)
		}
		if got := find(text[at-reach : min(at+reach, len(text))]); len(got) != 1 {
			t.Errorf("%q: found %q in the part", text, got)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	text := []byte(strings.Repeat("func (w *worker) searchName(name string) { w.names.Reset() } // HTTP_PROXY=https://registry.npmjs.org/\n", 10_000))
	f := keyform.New()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		f.Find(text, 0, len(text), func(int, string) { b.Fatal("a key in code") })
	}
}
