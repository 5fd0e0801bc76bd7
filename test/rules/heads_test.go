package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"rolecall/internal/message"
	"rolecall/test/kit"
)

// value is how long a value is taken to be that a message has.
const value = 8

// isMaker reports whether the first text that a function gets becomes the head of a message, or a part of it.
func isMaker(fun string) bool {
	return fun == "errors.New" || fun == "fmt.Errorf" || fun == "refuse"
}

// nameOf returns the name of a function that is called, such as errors.New.
func nameOf(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name
	case *ast.SelectorExpr:
		if room, ok := fun.X.(*ast.Ident); ok {
			return room.Name + "." + fun.Sel.Name
		}
	}
	return ""
}

// textOf returns the text that a call of a maker gives an error, and "" for any other call.
func textOf(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok || !isMaker(nameOf(call)) || len(call.Args) == 0 {
		return ""
	}
	text := strings.TrimSuffix(literal(call.Args[0]), ": \x00")
	return strings.ReplaceAll(text, "\x00", strings.Repeat("x", value))
}

// tooLong returns the texts of a file that make the head of a message too long. The head
// ends at a colon, and what errors have after a semicolon is advice. An error that has rows
// for its facts needs no colon.
func tooLong(file *ast.File) []string {
	var long []string
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		pieces := strings.Split(textOf(call), ": ")
		if nameOf(call) == "fault.New" {
			pieces = []string{textOf(call.Args[1])}
		}
		for _, piece := range pieces {
			head, _, _ := strings.Cut(piece, "; ")
			if len(head) > message.Longest {
				long = append(long, piece)
			}
		}
		return true
	})
	return long
}

// TestHeads: the head of a message is one short line. What is known of the case is in rows:
// see With and Detail of fault.Error.
func TestHeads(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") || !strings.HasPrefix(path, "../../internal/") || strings.Contains(path, "/admin/") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		kit.Must(t, err)
		for _, text := range tooLong(file) {
			t.Errorf("%s: the head of an error is too long; let it have rows: %s", path, text)
		}
	}
}

func TestTooLong(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", message.Longest-value)
	code := strings.ReplaceAll(`package a
		var _ = []any{
			errors.New("LONG 1234567"), errors.New("LONG 12345678"),
			fmt.Errorf("LONG%s"), fmt.Errorf("LONG %d"), fmt.Errorf("LONG 1234567: %w", err),
			fmt.Errorf("LONG: LONG: %w; LONG LONG", err), errors.New("LONG " + x),
			fault.New(a, fmt.Errorf("LONG: LONG"), "LONG"), fault.New(a, err, "LONGLONG"), fault.New(a, errors.New("b: %w"), ""),
			refuse("LONG LONG", ""), With("LONGLONG"),
		}`, "LONG", long)
	file, err := parser.ParseFile(token.NewFileSet(), "a.go", code, parser.SkipObjectResolution)
	kit.Must(t, err)
	var got []string
	for _, text := range tooLong(file) {
		got = append(got, strings.ReplaceAll(text, long, "LONG"))
	}
	const want = "LONG 12345678,LONG xxxxxxxx,LONG xxxxxxxx,LONG: LONG,LONG LONG"
	if strings.Join(got, ",") != want {
		t.Errorf("%q are too long, want %q", got, want)
	}
}
