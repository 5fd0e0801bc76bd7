package tenant

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxPath bounds the length of a pattern and of what it matches, in bytes.
const maxPath = 1024

// Pattern matches whole paths of projects, refs or environments, and respects case. In
// a pattern, * stands for any run of characters within a segment, and a segment ** for
// one or more segments.
type Pattern struct {
	text     string
	segments []string // with ** as *, **: there ** stands for none or more
}

// String returns the pattern as it is written.
func (p Pattern) String() string { return p.text }

// Match reports whether the pattern matches the whole of value. No pattern matches a
// value of more than 1024 bytes, with an empty, . or .. segment, or with control
// characters.
func (p Pattern) Match(value string) bool { return p.match(segmentsOf(value)) }

// match is Match for a value that is already cut into segments.
func (p Pattern) match(value []string) bool {
	return value != nil && glob(len(p.segments), len(value),
		func(i int) bool { return p.segments[i] == "**" },
		func(i, j int) bool { return matchSegment(p.segments[i], value[j]) })
}

// matchSegment reports whether one segment of a pattern matches one of a value.
func matchSegment(pattern, value string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == value
	}
	return glob(len(pattern), len(value),
		func(i int) bool { return pattern[i] == '*' },
		func(i, j int) bool { return pattern[i] == value[j] })
}

// glob reports whether a pattern of n elements matches a value of m elements. Star
// reports whether element i of the pattern stands for any run; fits reports whether
// another element i matches element j of the value. Only the last star is ever tried
// again, since all before it has matched as early as possible: the time is at most n
// times m.
func glob(n, m int, star func(i int) bool, fits func(i, j int) bool) bool {
	i, j, again, from := 0, 0, -1, 0
	for j < m {
		switch {
		case i < n && star(i):
			i++
			again, from = i, j
		case i < n && fits(i, j):
			i, j = i+1, j+1
		case again >= 0:
			from++
			i, j = again, from
		default:
			return false
		}
	}
	for i < n && star(i) {
		i++
	}
	return i == n
}

// isPath reports whether a value has the length and the characters of a path.
func isPath(value string) bool {
	return len(value) <= maxPath && utf8.ValidString(value) && !strings.ContainsFunc(value, unicode.IsControl)
}

// segmentsOf returns the segments of a value, or nil if no pattern matches the value.
func segmentsOf(value string) []string {
	if !isPath(value) {
		return nil
	}
	segments := strings.Split(value, "/")
	if slices.ContainsFunc(segments, isNoName) {
		return nil
	}
	return segments
}

// isNoName reports whether a segment of a path is not a name.
func isNoName(segment string) bool { return segment == "" || segment == "." || segment == ".." }

// ParseProject reads a pattern of projects' paths. An error says why the pattern can
// match no project's path.
func ParseProject(text string) (Pattern, error) { return parsePattern(text, checkProject) }

// ParseRef does for names of branches and tags what ParseProject does for projects.
func ParseRef(text string) (Pattern, error) { return parsePattern(text, checkRef) }

// ParseEnvironment does for names of environments what ParseProject does for projects.
func ParseEnvironment(text string) (Pattern, error) { return parsePattern(text, checkEnvironment) }

// parsePattern reads a pattern. Check returns an error if no path of the pattern's kind
// can match.
func parsePattern(text string, check func(text string, segments []string) error) (Pattern, error) {
	segments := strings.Split(text, "/")
	err := checkSegments(text, segments)
	if err == nil {
		err = check(text, segments)
	}
	if err != nil {
		return Pattern{}, fmt.Errorf("%s: %w", Quote(text), err)
	}
	return newPattern(text, segments), nil
}

// newPattern returns the pattern of a text that can match.
func newPattern(text string, segments []string) Pattern {
	p := Pattern{text: text}
	for _, segment := range segments {
		if segment == "**" {
			p.segments = append(p.segments, "*")
		}
		p.segments = append(p.segments, segment)
	}
	return p
}

// checkSegments checks what every pattern must fulfil.
func checkSegments(text string, segments []string) error {
	switch {
	case len(text) > maxPath:
		return fmt.Errorf("it has more than %d bytes, and no value of that length matches", maxPath)
	case strings.Contains(text, "|"):
		return errors.New("it cannot match: | is not a wildcard; write two patterns")
	case strings.ContainsFunc(text, unicode.IsControl):
		return errors.New("it cannot match: it has a control character")
	case slices.Contains(segments, ""):
		return errors.New("it cannot match: it has an empty segment; remove a / at either end, or one of two")
	case slices.ContainsFunc(segments, isNoName):
		return errors.New("it cannot match: no path has a segment . or .. in it")
	case slices.ContainsFunc(segments, func(s string) bool { return s != "**" && strings.Contains(s, "**") }):
		return errors.New("** must be a whole segment, such as acme/**")
	}
	return nil
}

const lettersAndDigits = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// checkProject checks a pattern of projects' paths.
//
// https://docs.gitlab.com/user/reserved_names/
func checkProject(text string, segments []string) error {
	if err := onlyOf(text, "project", lettersAndDigits+"_-./*"); err != nil {
		return err
	}
	if len(segments) == 1 && text != "**" {
		return errors.New("it cannot match: a project's path has a group and a name, such as acme/deploy, or acme/** for a group")
	}
	if slices.ContainsFunc(segments, isReserved) {
		return errors.New("it cannot match: no part of a project's path starts with - or ends in .git or .atom")
	}
	return nil
}

// isReserved reports whether GitLab allows no part of a project's path to be segment.
func isReserved(segment string) bool {
	return strings.HasPrefix(segment, "-") || strings.HasSuffix(segment, ".git") || strings.HasSuffix(segment, ".atom")
}

// checkEnvironment checks a pattern of environments' names.
//
// https://docs.gitlab.com/ci/yaml/#environmentname
func checkEnvironment(text string, _ []string) error {
	return onlyOf(text, "environment", lettersAndDigits+" -_/.${}*")
}

// onlyOf returns an error unless text consists of letters that a thing may have.
func onlyOf(text, thing, letters string) error {
	if i := strings.IndexFunc(text, func(r rune) bool { return !strings.ContainsRune(letters, r) }); i >= 0 {
		r, _ := utf8.DecodeRuneInString(text[i:])
		return fmt.Errorf("it cannot match: no %s has %q in it; the only wildcards are * and **", thing, r)
	}
	return nil
}

// checkRef checks a pattern of branches' and tags' names. It also refuses some
// characters that git allows, since they look like a regular expression.
//
// https://git-scm.com/docs/git-check-ref-format
func checkRef(text string, segments []string) error {
	if i := strings.IndexAny(text, " ~^:?[\\"); i >= 0 {
		return fmt.Errorf("it cannot match: no ref has %q in it; the only wildcards are * and **", text[i])
	}
	if i := strings.IndexAny(text, `{}()$"`); i >= 0 {
		return fmt.Errorf("%q is not a wildcard; if a ref contains it, write * in its place", text[i])
	}
	if strings.HasPrefix(text, "refs/heads/") || strings.HasPrefix(text, "refs/tags/") {
		return errors.New("it cannot match: GitLab's claim is the short name: write it without refs/heads/ or refs/tags/, and choose the type by ref_types")
	}
	if text == "@" || strings.HasPrefix(text, "-") || strings.HasSuffix(text, ".") || strings.Contains(text, "..") {
		return errors.New("it cannot match: no ref is @, starts with -, ends in . or has .. in it")
	}
	for _, s := range segments {
		if strings.HasPrefix(s, ".") || strings.HasSuffix(s, ".lock") {
			return errors.New("it cannot match: no part of a ref starts with . or ends in .lock")
		}
	}
	return nil
}
