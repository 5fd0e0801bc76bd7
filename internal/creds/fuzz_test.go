package creds_test

import (
	"strings"
	"testing"

	"rolecall/internal/creds"
)

// hostile are texts in which a reader of env files could see more than a value.
var hostile = []string{
	"", "=", "-", "--", "$(id)", "`id`", "'", `"`, `\`, "\n", "\r\n", " ", "\t", "#", "~", "~root/", "*", "?", "$HOME", "${IFS}", ";id", "&", "|id",
	"\x00", "\xff", "é", "!!", "%s", "export ", "A=B", "(", "{a,b}", "<x", "\nLD_PRELOAD=/x", "+/=._-", "-n", "-0", "--help", "\\n", "\ufeff",
}

// FuzzEnvFile checks that each documented reader reads variables that pass Check
// unchanged, and that a refusal never holds a value.
func FuzzEnvFile(f *testing.F) {
	for _, text := range hostile {
		f.Add("A", text, "B", "x")
		f.Add("A"+text, "x", "B", text+text)
		f.Add("A", "A"+text, text, "A"+text+"A")
	}
	for _, name := range []string{"_", "UID", "IFS", "PATH", "LINENO", "LANG", "TMPDIR", "BASHPID", "PS4", "_A", "a"} {
		f.Add(name, "1", "B_"+name, "/")
	}
	f.Fuzz(func(t *testing.T, name, value, other, text string) {
		set := of(name, value, other, text)
		if err := set.Check(); err != nil {
			for _, value := range []string{value, text} {
				if len(value) >= 8 && value != name && value != other && !strings.Contains(rule, value) && strings.Contains(err.Error(), value) {
					t.Fatalf("the error %q holds the value %q", err, value)
				}
			}
			return
		}
		checkInDocker(t, set)
		if len(inFile(t, set)) > 0 {
			checkInShells(t, []creds.Set{set})
		}
	})
}

// rule has the words of Check's errors.
const rule = "the value of has bytes, and must have 1 to 16384; a variable is one line of text: give such a value in a file " +
	"a line break a control character bytes that are not UTF-8 " +
	"the name of a variable is not made of letters A-Z, digits and _ variable occurs twice has a meaning to shells or the loader"
