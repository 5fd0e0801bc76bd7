package rules_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestFindings: each id of a finding is that of one thing, is used, and has an entry in the page
// of errors, in the order of the ids.
func TestFindings(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^\t(id\w+) += "(CK\d+)"$`).FindAllStringSubmatch(read(t, "internal/admin/check/ids.go"), -1)
	var sources strings.Builder
	for _, path := range goFiles(t) {
		if strings.Contains(path, "internal/admin/") && !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "check/ids.go") {
			sources.WriteString(read(t, strings.TrimPrefix(path, "../../")))
		}
	}
	if stray := regexp.MustCompile(`"CK\d+"`).FindString(sources.String()); stray != "" {
		t.Errorf("the id %s is not in ids.go", stray)
	}
	var ids []string
	for _, id := range declared {
		ids = append(ids, id[2])
		if !regexp.MustCompile(`\b` + id[1] + `\b`).MatchString(sources.String()) {
			t.Errorf("no finding has the id %s", id[1])
		}
	}
	var entries []string
	for _, entry := range regexp.MustCompile(`(?m)^### (CK\d+)\n\n\S.+\.`).FindAllStringSubmatch(read(t, "docs/errors.md"), -1) {
		entries = append(entries, entry[1])
	}
	number := func(a, b string) int {
		x, _ := strconv.Atoi(a[2:])
		y, _ := strconv.Atoi(b[2:])
		return x - y
	}
	if len(ids) < 70 || len(slices.Compact(slices.Clone(ids))) != len(ids) || !slices.IsSortedFunc(ids, number) || !slices.Equal(ids, entries) {
		t.Errorf("docs/errors.md has entries for\n%q, want\n%q, sorted and each once", entries, ids)
	}
}
