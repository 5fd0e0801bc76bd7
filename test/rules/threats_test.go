package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// held matches what docs/threat-model.md names in code: a file of tests, a test of
// the file that was named last, or a script.
var held = regexp.MustCompile("`([\\w./-]+_test\\.go)`|`((?:Test|Fuzz)\\w+)`|`([\\w-]+\\.txtar)`")

// TestThreatModel checks that the tests which hold the promises of the threat model
// exist, and that each promise has some.
func TestThreatModel(t *testing.T) {
	t.Parallel()
	_, promises, _ := strings.Cut(read(t, "docs/threat-model.md"), "\n## What is promised\n")
	promises, _, _ = strings.Cut(promises, "\n## ")
	rows := 0
	for line := range strings.Lines(promises) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| promise ") {
			continue
		}
		rows++
		if !strings.Contains(line, "`Test") && !strings.Contains(line, ".txtar`") {
			t.Errorf("no test holds %s", line)
		}
		checkHeld(t, held.FindAllStringSubmatch(line, -1))
	}
	const want = 66
	if rows != want {
		t.Errorf("docs/threat-model.md has %d promises, want %d: where one was added or taken back on purpose, correct this number", rows, want)
	}
}

// checkHeld checks that the files, tests and scripts of a promise exist.
func checkHeld(t *testing.T, names [][]string) {
	t.Helper()
	file, content := "no file", ""
	for _, name := range names {
		switch {
		case name[1] != "":
			file, content = name[1], read(t, name[1])
		case name[2] != "" && !strings.Contains(content, "\nfunc "+name[2]+"("):
			t.Errorf("%s has no %s, which docs/threat-model.md names", file, name[2])
		case name[3] != "":
			if _, err := os.Stat(filepath.Join("../../test/scripts/testdata", name[3])); err != nil {
				t.Errorf("docs/threat-model.md: %v", err)
			}
		}
	}
}
