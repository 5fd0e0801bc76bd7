package aws

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxHops is how many roles a chain may have after its first: each costs a call of STS before
// the job begins.
const MaxHops = 3

// LongestChained is the longest session of a role that was assumed with the session of another
// role.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
const LongestChained = StandardSession

// Hop is a role of a chain that is assumed with the session of the role before it.
type Hop struct {
	Role           Role   `json:"role_arn"`
	ExternalID     string `json:"external_id,omitempty"`
	Tags           []Tag  `json:"tags,omitempty"`
	SourceIdentity string `json:"source_identity,omitempty"`
}

// Tag is a session tag.
type Tag struct {
	Key        string `json:"key"`
	Value      string `json:"value"`
	Transitive bool   `json:"transitive,omitempty"` // the sessions of later hops have it too
}

// Actions returns what the trust policy of the hop's role must allow the session before it.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_permissions-required
func (h Hop) Actions() []string {
	actions := []string{"sts:AssumeRole"}
	if len(h.Tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if h.SourceIdentity != "" {
		actions = append(actions, "sts:SetSourceIdentity")
	}
	return actions
}

// The bounds of what a hop may pass, in characters.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
// https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html
const (
	MaxTags        = 50
	maxTagKey      = 128
	maxTagValue    = 256
	leastExternal  = 2
	mostExternal   = 1224
	leastIdentity  = 2
	mostIdentity   = 64
	wordLetters    = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	identitySigns  = "+=,.@-"
	externalSigns  = identitySigns + ":/"
	tagSigns       = "_.:/=+-@"
	reservedPrefix = "aws:"
)

// CheckTagKey returns an error unless AWS takes text as the key of a session tag. The error
// does not quote text.
func CheckTagKey(text string) error {
	if strings.HasPrefix(strings.ToLower(text), reservedPrefix) {
		return errors.New("keys that begin with aws: are AWS's own")
	}
	return checkTag(text, 1, maxTagKey)
}

// CheckTagValue does what CheckTagKey does, for the value of a session tag.
func CheckTagValue(text string) error { return checkTag(text, 0, maxTagValue) }

// checkTag checks a part of a tag.
func checkTag(text string, least, most int) error {
	return check(text, least, most, isOfTag, "letters, digits, spaces and "+tagSigns)
}

// isOfTag reports whether AWS takes a character in a tag.
func isOfTag(r rune) bool {
	return r != utf8.RuneError && (unicode.In(r, unicode.L, unicode.N, unicode.Z) || strings.ContainsRune(tagSigns, r))
}

// CheckExternalID does what CheckTagKey does, for an external id.
func CheckExternalID(text string) error {
	return checkWord(text, leastExternal, mostExternal, externalSigns)
}

// CheckSourceIdentity does what CheckTagKey does, for a source identity.
func CheckSourceIdentity(text string) error {
	return checkWord(text, leastIdentity, mostIdentity, identitySigns)
}

// checkWord checks a text without spaces.
func checkWord(text string, least, most int, signs string) error {
	fits := func(r rune) bool { return strings.ContainsRune(wordLetters+signs, r) }
	return check(text, least, most, fits, "letters, digits, _ and "+signs)
}

// check checks the length of a text, and that all of its characters fit.
func check(text string, least, most int, fits func(rune) bool, takes string) error {
	if n := utf8.RuneCountInString(text); n < least || n > most {
		return fmt.Errorf("it has %d characters, and AWS takes %d to %d", n, least, most)
	}
	for _, r := range text {
		if !fits(r) {
			return fmt.Errorf("AWS does not take the character %q in it; it takes %s", string(r), takes)
		}
	}
	return nil
}
