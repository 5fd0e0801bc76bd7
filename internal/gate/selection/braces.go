package selection

import (
	"slices"
	"strings"
)

// maxAlternatives bounds for how many patterns the braces of one may stand.
const maxAlternatives = 100

// hasOddBraces reports whether the library's Glob may match more than a pattern with braces
// says: it takes what one alternative has matched for folders of the next one if there are
// several braces between two slashes, or slashes in braces. It does not if there is ** before
// the end: then it uses GlobWalk.
func hasOddBraces(pattern string) bool {
	if !strings.Contains(pattern, "{") {
		return false
	}
	if strings.Contains(pattern, `\`) || strings.Contains(pattern, "{}") {
		return true
	}
	odd := slices.ContainsFunc(strings.Split(pattern, "/"), func(part string) bool {
		braces := strings.Count(part, "{")
		return braces > 1 || strings.Count(part, "}") != braces
	})
	return odd && !strings.Contains(pattern[:max(0, len(pattern)-2)], "**")
}

// expandBraces returns the patterns that the braces of a pattern without slashes stand for.
// It returns nil for an empty pattern, for braces with escapes, brackets or slashes, and if
// there are too many.
func expandBraces(pattern string) []string {
	if !strings.ContainsAny(pattern, "{}") {
		return slices.DeleteFunc([]string{pattern}, func(p string) bool { return p == "" })
	}
	if strings.ContainsAny(pattern, `[]\`) {
		return nil
	}
	done, todo := []string{}, []string{pattern}
	for len(todo) > 0 && len(done)+len(todo) <= maxAlternatives {
		last := len(todo) - 1
		next := todo[last]
		todo = todo[:last]
		inner, after, found := strings.Cut(next, "}") // the first one closes braces without others in them
		begin := strings.LastIndexByte(inner, '{')
		switch {
		case found && begin >= 0:
			for alternative := range strings.SplitSeq(strings.TrimSuffix(inner[begin+1:], ","), ",") {
				todo = append(todo, inner[:begin]+alternative+after)
			}
		case found || strings.Contains(next, "{"):
			return nil
		default:
			done = append(done, next)
		}
	}
	if len(todo) > 0 {
		return nil
	}
	return done
}
