package rules_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rolecall/test/document"
	"rolecall/test/kit"
)

// notRun are the commands of pages that no test runs, with the reason.
var notRun = map[string]string{
	`az login --service-principal -u "$AZURE_CLIENT_ID" -t "$AZURE_TENANT_ID" --federated-token "$(cat "$AZURE_FEDERATED_TOKEN_FILE")"`: "Debian has no az, and it logs in to Azure alone",
	"dnf install ./rolecall-VERSION-1.x86_64.rpm": "the tests have no Fedora: rpm installs the package in test/packages",
}

// TestCommandsAreRun: each command of a page is a target of the Makefile, or a test runs all that its part of
// the page tells a reader to type. The tests do so by document.Run and document.RunSpans, which take the text of
// the page, so a command that is new or changed is run as well.
func TestCommandsAreRun(t *testing.T) {
	t.Parallel()
	run, spans := callsOf(t, "Run"), callsOf(t, "RunSpans")
	tests, found, passed := functions(t), 0, map[string]bool{}
	for _, page := range document.Pages(t) {
		for _, s := range document.Sections(t, page) {
			part := page + ": " + s.Heading
			for _, step := range s.Steps {
				found++
				command := strings.TrimPrefix(cmp.Or(step.Command, program(step)), "sudo ")
				passed[command] = true
				if command != "" && !strings.HasPrefix(command, "make ") && !isTest(tests, command) && !run[part] && notRun[command] == "" {
					t.Errorf("%s:%d: no test runs %q: one with document.Run(t, %q, %q, ...) would", page, step.Line, command, page, s.Heading)
				}
			}
			for _, command := range s.Commands() {
				found++
				if !spans[part] {
					t.Errorf("%s: no test runs %q: one with document.RunSpans(t, %q, %q, ...) would", page, command, page, s.Heading)
				}
			}
		}
	}
	for command := range notRun {
		if !passed[command] {
			t.Errorf("no page has %q any more", command)
		}
	}
	const fewest = 80
	if found < fewest {
		t.Errorf("only %d commands were found", found)
	}
}

// program returns a program that a page shows, which is no command of a line.
func program(s document.Step) string {
	if s.File == "script" {
		return s.Content
	}
	return ""
}

// testFiles returns all test files of the project.
func testFiles(t *testing.T) []*ast.File {
	t.Helper()
	var files []*ast.File
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			kit.Must(t, err)
			files = append(files, file)
		}
	}
	return files
}

// callsOf returns the parts of pages that tests give to a function of document.
func callsOf(t *testing.T, name string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, file := range testFiles(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 4 {
				return true
			}
			if called, ok := call.Fun.(*ast.SelectorExpr); ok && called.Sel.Name == name && isNamed(called.X, "document") {
				found[text(call.Args[1])+": "+text(call.Args[2])] = true
			}
			return true
		})
	}
	return found
}

// isNamed reports whether an expression is a name.
func isNamed(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}

// text returns the text of a literal.
func text(x ast.Expr) string {
	if literal, ok := x.(*ast.BasicLit); ok {
		value, _ := strconv.Unquote(literal.Value)
		return value
	}
	return ""
}

// functions returns the names of all tests.
func functions(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range testFiles(t) {
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				all = append(all, f.Name.Name)
			}
		}
	}
	return all
}

// isTest reports whether a command runs one of the tests, which make check runs too.
func isTest(tests []string, command string) bool {
	named := regexp.MustCompile(`^go test -run (Test\w+)(?:/\w+)? \./test/\w+$`).FindStringSubmatch(command)
	return named != nil && slices.Contains(tests, named[1])
}
