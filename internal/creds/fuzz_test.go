package creds_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"rolecall/internal/creds"
)

// hostile are pieces of text that a reader of env files could take for more
// than a value.
var hostile = []string{
	"", "=", "-", "--", "$(id)", "`id`", "'", `"`, `\`, "\n", "\r\n", " ", "\t", "#", "~", "~root/", "*", "?", "$HOME", "${IFS}", ";id", "&", "|id",
	"\x00", "\xff", "é", "!!", "%s", "export ", "A=B", "(", "{a,b}", "<x", "\nLD_PRELOAD=/x", "+/=._-", "-n", "-0", "--help", "\\n", "\ufeff",
}

// FuzzEnvFile holds that credentials which pass Check read back the same by
// every documented way, and that a refusal never holds the value.
func FuzzEnvFile(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, "", "", "x", int64(1800000000))
		f.Add("", text, text+text, "eu-west-1", int64(0))
		f.Add("", "A"+text, "A"+text+"A", "x"+strings.ToLower(text), int64(253402300799))
	}
	filler := strings.Repeat("A", 16) // long enough to be taken
	f.Fuzz(func(t *testing.T, id, secret, token, region string, seconds int64) {
		c := credentials(id+filler, secret+filler, token+filler, region)
		c.Expires = time.Unix(max(0, min(seconds, 253402300799)), 0)
		if err := c.Check(); err != nil {
			for _, value := range []string{id, secret, token, region} {
				if len(value) >= 8 && !strings.Contains(rule, value) && strings.Contains(err.Error(), value) {
					t.Fatalf("the error %q holds the value %q", err, value)
				}
			}
			return
		}
		back, err := creds.ParseEnvFile(c.EnvFile())
		if err != nil || !bytes.Equal(back.EnvFile(), c.EnvFile()) || !back.Expires.Equal(c.Expires) {
			t.Fatalf("it reads back with error %v as\n%s\nwritten was\n%s", err, back.EnvFile(), c.EnvFile())
		}
		checkInDocker(t, c)
		checkInShells(t, []creds.Credentials{c})
	})
}

// rule has the words of Check's errors.
const rule = "access key id secret access key session token region is not to of the characters ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=._-"

// FuzzParseEnvFile holds that ParseEnvFile accepts nothing but what EnvFile
// writes, byte for byte.
func FuzzParseEnvFile(f *testing.F) {
	f.Add([]byte(goodFile))
	f.Add([]byte(goodFile[:100]))
	for _, text := range hostile {
		f.Add([]byte(goodFile + text))
		f.Add([]byte(text + goodFile))
		f.Add([]byte(strings.Replace(goodFile, "eu-central-1", text, 1)))
		f.Add([]byte(strings.Replace(goodFile, goodSecret, goodSecret+text, 1)))
		f.Add([]byte(strings.Replace(goodFile, "06Z", "06"+text+"Z", 1)))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := creds.ParseEnvFile(content)
		if err != nil {
			if c != (creds.Credentials{}) {
				t.Fatalf("credentials beside the error %v", err)
			}
			return
		}
		if !bytes.Equal(c.EnvFile(), content) {
			t.Fatalf("accepted\n%s\nwhich EnvFile writes as\n%s", content, c.EnvFile())
		}
		if err := c.Check(); err != nil {
			t.Fatalf("accepted what Check refuses: %v", err)
		}
	})
}
