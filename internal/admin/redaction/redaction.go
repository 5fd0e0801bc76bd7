// Package redaction takes out of an admin's files what may be secret. It keeps what it knows to be
// none, and nothing else: a key that it does not know has no value in what it returns.
package redaction

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Mark stands in the place of a value.
const Mark = "[REDACTED]"

// shortest is how long a value is that is looked for in other texts: a shorter one, such as main,
// is no secret, and its name may stand there.
const shortest = 6

// Secrets are the values that were taken out of files. Other texts may quote them.
type Secrets struct{ values []string }

// add remembers a value.
func (s *Secrets) add(value string) {
	if len(value) < shortest {
		return
	}
	s.values = append(s.values, value)
	if quoted, err := json.Marshal(value); err == nil { // as other texts may hold it
		s.values = append(s.values, strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(value), `"`))
	}
}

// Hide returns a text without the values that were taken out of files, and without what servers
// are asked with in the URLs that it has.
func (s *Secrets) Hide(text string) string {
	slices.SortFunc(s.values, func(a, b string) int { return len(b) - len(a) }) // one may hold another
	for _, value := range s.values {
		text = strings.ReplaceAll(text, value, Mark)
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\"'<>,;()[]{}\\", r) })
	for _, word := range words {
		if kept := s.URL(word); kept != word {
			text = strings.ReplaceAll(text, word, kept)
		}
	}
	return text
}

// URL returns a URL without its user, its password, its query and its fragment. A text that is no
// URL stays.
func (s *Secrets) URL(text string) string {
	if !strings.Contains(text, "://") {
		return text
	}
	u, err := url.Parse(text)
	if err != nil {
		s.add(text)
		return Mark // what cannot be read may hold anything
	}
	if password, ok := u.User.Password(); ok {
		s.add(password)
	}
	if u.User == nil && u.RawQuery == "" && u.Fragment == "" {
		return text
	}
	s.add(u.User.Username())
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return u.String()
}
