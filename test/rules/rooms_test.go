package rules_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rowsOf returns the row number of each room in the table of docs/architecture.md.
// A row may have several rooms.
func rowsOf(architecture string) map[string]int {
	_, table, _ := strings.Cut(architecture, "\n## Rooms\n")
	table, _, _ = strings.Cut(table, "\n## ")
	rows, row := map[string]int{}, 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		row++
		first, _, _ := strings.Cut(line[2:], " |")
		for _, name := range strings.Fields(strings.ReplaceAll(first, "`", "")) {
			rows[name] = row
		}
	}
	return rows
}

// misplaced reports rooms without a row, rows without a room, and imports of a room
// that is not above the one that imports it.
func misplaced(rows map[string]int, packages []goPackage) []string {
	var found []string
	for _, p := range packages {
		room := strings.TrimPrefix(p.ImportPath, "rolecall/")
		if rows[room] == 0 {
			found = append(found, "docs/architecture.md has no row for "+room)
		}
		for _, path := range p.Imports {
			imported, ours := strings.CutPrefix(path, "rolecall/")
			if ours && rows[imported] >= rows[room] {
				found = append(found, fmt.Sprintf("%s (row %d of docs/architecture.md) imports %s (row %d): a room imports only rooms above it", room, rows[room], imported, rows[imported]))
			}
		}
	}
	for name := range rows {
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == "rolecall/"+name }) {
			found = append(found, "docs/architecture.md has a row for "+name+", which is no package")
		}
	}
	return found
}

// TestRooms holds the order of the rooms.
func TestRooms(t *testing.T) {
	t.Parallel()
	for _, problem := range misplaced(rowsOf(read(t, "docs/architecture.md")), list(t, "./cmd/...", "./internal/...")) {
		t.Error(problem)
	}
}

// TestMisplaced checks what TestRooms rests on.
func TestMisplaced(t *testing.T) {
	t.Parallel()
	const table = "\n## Rooms\n\n| folder | knows |\n|---|---|\n| `internal/a` | `internal/x` |\n| `internal/b` `internal/c` | b |\n| `cmd/d` | d |\n\n## More\n| `internal/y` | y |\n"
	room := func(name string, imports ...string) goPackage {
		return goPackage{ImportPath: "rolecall/" + name, Imports: imports}
	}
	a, b, c, d := room("internal/a", "os"), room("internal/b", "rolecall/internal/a"), room("internal/c"), room("cmd/d", "rolecall/internal/a", "rolecall/internal/b")
	tests := []struct {
		rooms []goPackage
		want  string // empty where nothing is wrong
	}{
		{[]goPackage{a, b, c, d}, ""},
		{[]goPackage{a, b, c, d, room("internal/e")}, "no row for internal/e"},
		{[]goPackage{a, b, c}, "a row for cmd/d, which is no package"},
		{[]goPackage{room("internal/a", "rolecall/internal/b"), b, c, d}, "internal/a (row 1 of docs/architecture.md) imports internal/b (row 2)"},
		{[]goPackage{a, b, room("internal/c", "rolecall/internal/b"), d}, "internal/c (row 2 of docs/architecture.md) imports internal/b (row 2)"},
	}
	for i, test := range tests {
		got := misplaced(rowsOf(table), test.rooms)
		if test.want == "" && len(got) > 0 || test.want != "" && (len(got) != 1 || !strings.Contains(got[0], test.want)) {
			t.Errorf("case %d: %q, want %q", i, got, test.want)
		}
	}
}

// TestLibraries checks that the table of libraries has every module that go.mod
// requires for the driver and its tests.
func TestLibraries(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(read(t, "docs/architecture.md"), "\n## Libraries\n")
	required := regexp.MustCompile(`(?m)^\t(\S+) v\S+$`).FindAllStringSubmatch(read(t, "go.mod"), -1)
	if len(required) == 0 {
		t.Error("no module found in go.mod: correct the pattern")
	}
	for _, r := range required {
		name := strings.TrimPrefix(r[1], "github.com/")
		if part, ok := strings.CutPrefix(name, "aws/aws-sdk-go-v2/"); ok {
			name = part
		}
		if !strings.Contains(table, "`"+name+"`") {
			t.Errorf("docs/architecture.md does not say what the library %s is for", name)
		}
	}
}
