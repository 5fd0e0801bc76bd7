package comparison

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// pattern is a value of a condition: characters, and the wildcards below.
type pattern []string

// The wildcards. No character of a value is written so.
const (
	anyRun = "*wildcard"
	anyOne = "?wildcard"
)

// parse reads a value of a condition: ${*}, ${?} and ${$} are characters. Another variable is one
// element, which is like itself alone. Where wild is false, there are no wildcards.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func parse(value string, wild bool) pattern {
	var p pattern
	for value != "" {
		size := 1
		switch end := strings.IndexByte(value, '}'); {
		case strings.HasPrefix(value, "${") && end == 3 && strings.ContainsAny(value[2:3], "*?$"):
			p, size = append(p, value[2:3]), 4
		case strings.HasPrefix(value, "${") && end > 0:
			p, size = append(p, value[:end+1]), end+1
		case wild && value[0] == '*':
			p = append(p, anyRun)
		case wild && value[0] == '?':
			p = append(p, anyOne)
		default:
			p = append(p, value[:1])
		}
		value = value[size:]
	}
	return p
}

// glob returns a text in which * and ? are wildcards.
func glob(text string) pattern { return parse(strings.ToLower(text), true) }

// covers reports whether all that another pattern matches is matched by this one. It may say no
// where several patterns together would be needed to say yes.
func (p pattern) covers(other pattern) bool {
	i, j, again, from := 0, 0, -1, 0
	for j < len(other) {
		switch {
		case i < len(p) && p[i] == anyRun:
			again, from = i, j
			i++
		case i < len(p) && (p[i] == other[j] || p[i] == anyOne && other[j] != anyRun):
			i, j = i+1, j+1
		case again >= 0:
			from++
			i, j = again+1, from
		default:
			return false
		}
	}
	for i < len(p) && p[i] == anyRun {
		i++
	}
	return i == len(p)
}

// any reports whether a wildcard stands within the first characters, where a pattern would have to
// name a project.
func (p pattern) any(first int) bool {
	i := slices.Index(p, anyRun)
	return i >= 0 && i <= first
}

// String returns the pattern as it is written.
func (p pattern) String() string {
	return fmt.Sprintf("%q", strings.NewReplacer(anyRun, "*", anyOne, "?").Replace(strings.Join(p, "")))
}

// sortedKeys returns the keys of a map, sorted.
func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
