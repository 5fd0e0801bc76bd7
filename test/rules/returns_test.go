package rules_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// racingReturns reports the return statements whose results depend on an order
// that Go does not define: `return x, f(&x)` may return the x from before or from
// after the call. It compares names, not types. So it also reports a pointer p in
// `return p, f(&p.field)`, which is harmless, and it cannot see a method with a
// pointer receiver in `return x, x.fill()`.
//
// https://go.dev/ref/spec#Order_of_evaluation
func racingReturns(files *token.FileSet, file *ast.File) []string {
	var found []string
	ast.Inspect(file, func(n ast.Node) bool {
		statement, ok := n.(*ast.ReturnStmt)
		if !ok {
			return true
		}
		for i, result := range statement.Results {
			for _, name := range changedBy(result) {
				others := slices.Delete(slices.Clone(statement.Results), i, i+1)
				if slices.ContainsFunc(others, func(other ast.Expr) bool { return loads(other, name) }) {
					found = append(found, fmt.Sprintf("%s: the return statement has %s and a call that is given &%s: make the call a statement of its own", files.Position(statement.Pos()), name, name))
				}
			}
		}
		return true
	})
	return found
}

// changedBy returns the variables whose addresses the calls in a result are given.
func changedBy(result ast.Expr) []string {
	var names []string
	ast.Inspect(result, func(n ast.Node) bool {
		if _, ok := n.(*ast.FuncLit); ok {
			return false // it is returned, not called
		}
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		names = append(names, addresses(call)...)
		return false
	})
	return names
}

// addresses returns the variables of which a call has an &x or &x.field, also in
// a function that is called or given to the call.
func addresses(call *ast.CallExpr) []string {
	var names []string
	ast.Inspect(call, func(n ast.Node) bool {
		if and, ok := n.(*ast.UnaryExpr); ok && and.Op == token.AND {
			if name := variable(and.X); name != "" {
				names = append(names, name)
			}
		}
		return true
	})
	return names
}

// variable returns the name at the beginning of x, x.field or (x), empty for other
// expressions.
func variable(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return variable(e.X)
	case *ast.ParenExpr:
		return variable(e.X)
	}
	return ""
}

// loads says whether a result reads the variable outside calls. What a call is
// given is out of reach.
func loads(result ast.Expr, name string) bool {
	found := false
	ast.Inspect(result, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr, *ast.FuncLit:
			return false
		case *ast.UnaryExpr:
			return n.Op != token.AND
		case *ast.SelectorExpr:
			found = found || variable(n) == name
			return variable(n) == ""
		case *ast.Ident:
			found = found || n.Name == name
		}
		return true
	})
	return found
}

func TestRacingReturns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		statement string
		names     string // the variables that are reported
	}{
		{`return report, json.Unmarshal(answer.Bytes(), &report)`, "report"},
		{`return o, p.fill(&o, candidate.Tokens[o.grant.IDToken])`, "o"},
		{`return f(&x), x`, "x"},
		{`return x, f(&x.field.part)`, "x"},
		{`return x.part, f((&x))`, "x"},
		{`return x + 1, nil, errors.Join(err, f(&x))`, "x"},
		{`return T{x, 1}, f(&x)`, "x"},
		{`return x, y, f(&y, &x)`, "y x"},
		{`return x, try(func() error { return f(&x) })`, "x"},
		{`go func() (int, error) { return x, f(&x) }()`, "x"},

		{`return x, nil`, ""},
		{`return f(&x)`, ""},
		{`return &x, f(&x)`, ""},
		{`return x, f(x)`, ""},
		{`return x, f(&y)`, ""},
		{`return y.x, f(&x)`, ""},
		{`return g(x), f(&x)`, ""},
		{`return x, &T{y: x}`, ""},
		{`return x, func() error { return f(&x) }`, ""},
		{`return func() int { return x }, f(&x)`, ""},
		{"err := f(&x)\nreturn x, err", ""},
		{`return x, x.fill()`, ""}, // out of reach
	}
	for _, test := range tests {
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, "a.go", "package a\nfunc a() {\n"+test.statement+"\n}", parser.SkipObjectResolution)
		kit.Must(t, err)
		found := racingReturns(files, file)
		names := strings.Fields(test.names)
		same := slices.EqualFunc(found, names, func(text, name string) bool {
			return strings.HasPrefix(text, "a.go:3:") && strings.Contains(text, " has "+name+" and ")
		})
		if !same {
			t.Errorf("%s: %q, want %q", test.statement, found, names)
		}
	}
}

// TestNoRacingReturns looks through the code, tests included.
func TestNoRacingReturns(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	paths := goFiles(t)
	for _, path := range []string{"cmd/gate/main.go", "internal/stage/run/gate.go", "test/rules/returns_test.go"} {
		if !slices.Contains(paths, filepath.Join("../..", path)) {
			t.Errorf("%s is not looked through: correct goFiles", path)
		}
	}
	for _, path := range paths {
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		kit.Must(t, err)
		for _, problem := range racingReturns(files, file) {
			t.Error(problem)
		}
	}
}

// goFiles returns the paths of all Go files of the repository.
func goFiles(t *testing.T) []string {
	t.Helper()
	var paths []string
	for _, folder := range []string{"cmd", "internal", "test"} {
		err := filepath.WalkDir(filepath.Join("../..", folder), func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".go") {
				paths = append(paths, path)
			}
			return err
		})
		kit.Must(t, err)
	}
	return paths
}
