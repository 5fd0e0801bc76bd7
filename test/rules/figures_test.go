package rules_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// Figures of the house. Functions and comments are counted in the product's own code,
// without its tests; a file may be of either.
const (
	maxFile        = 250 // lines
	maxFunction    = 60  // lines, from func to the closing brace
	medianFunction = 8
	leastComments  = 12 // percent of all lines
	mostComments   = 20
)

// figures are counted over files.
type figures struct {
	functions       []int // their lines
	lines, comments int
}

// add counts a file.
func (f *figures) add(t *testing.T, path string, content []byte) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, content, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	line := func(pos token.Pos) int { return set.Position(pos).Line }
	for _, declared := range file.Decls {
		if function, ok := declared.(*ast.FuncDecl); ok {
			n := line(function.End()) - line(function.Pos()) + 1
			f.functions = append(f.functions, n)
			if n > maxFunction {
				t.Errorf("%s: %s has %d lines, the limit is %d: split it", path, function.Name.Name, n, maxFunction)
			}
		}
	}
	for _, group := range file.Comments {
		f.comments += line(group.End()) - line(group.Pos()) + 1
	}
	f.lines += bytes.Count(content, []byte("\n"))
}

func TestFigures(t *testing.T) {
	t.Parallel()
	var all figures
	for _, path := range goFiles(t) {
		if strings.HasPrefix(path, "../../test/") {
			continue
		}
		content, err := os.ReadFile(path)
		kit.Must(t, err)
		if n := bytes.Count(content, []byte("\n")); n > maxFile {
			t.Errorf("%s has %d lines, the limit is %d: split it by what it is about", path, n, maxFile)
		}
		if !strings.HasSuffix(path, "_test.go") {
			all.add(t, path, content)
		}
	}
	if len(all.functions) < 500 {
		t.Fatalf("only %d functions found: correct the folders of this test", len(all.functions))
	}
	slices.Sort(all.functions)
	if median := all.functions[len(all.functions)/2]; median > medianFunction {
		t.Errorf("the median of a function's length is %d lines, the limit is %d", median, medianFunction)
	}
	if share := 100 * all.comments / all.lines; share < leastComments || share > mostComments {
		t.Errorf("%d %% of the lines are comments, want %d to %d %%", share, leastComments, mostComments)
	}
	t.Logf("%d functions, median %d lines, %d lines, %d of them comments", len(all.functions), all.functions[len(all.functions)/2], all.lines, all.comments)
}
