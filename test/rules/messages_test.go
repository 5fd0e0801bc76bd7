package rules_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// variable parts of a message: in the documents "...", a text in quotes, a number
// and a word in capitals; in the code a format verb, which becomes a NUL. STS, AWS
// and ID are no variable parts, so a word has four capitals at least, or is X or N.
var (
	placeholder = regexp.MustCompile(`\.\.\.|"[^"]*"|\b(?:\d+|X|N|[A-Z_]{4,})\b`)
	verb        = regexp.MustCompile(`%[-+# 0]*[\d.*]*[a-zA-Z]`)
)

// said returns a pattern of the literals that print a message which a document
// quotes, and how many words of it must be there as they are.
func said(message string) (*regexp.Regexp, int) {
	var pattern strings.Builder
	words := 0
	for _, piece := range placeholder.Split(message, -1) {
		if !strings.ContainsFunc(piece, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) {
			continue // what joins two variable parts
		}
		if words > 0 {
			pattern.WriteString(".*\x00.*")
		}
		pattern.WriteString(regexp.QuoteMeta(piece))
		words += len(strings.Fields(piece))
	}
	return regexp.MustCompile("(?s)" + pattern.String()), words
}

// quoted returns the messages that a document quotes: the first column of the table
// "When it fails", and any other text in backquotes that has four plain words. (Write
// a command of four words as a block.)
func quoted(document string) []string {
	var messages []string
	_, table, _ := strings.Cut(document, "\n## When it fails\n")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(table, -1) {
		for _, text := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			messages = append(messages, text[1])
		}
	}
	text := regexp.MustCompile("(?s)\n```.*?\n```").ReplaceAllString(document, "")
	for _, q := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(text, -1) {
		plain := regexp.MustCompile(`(?:^| )[a-z']+:?(?: |$)`).FindAllString(strings.ReplaceAll(q[1], " ", "  "), -1)
		if len(plain) >= 4 && !slices.Contains(messages, q[1]) {
			messages = append(messages, q[1])
		}
	}
	return messages
}

// literals returns the texts of a file's code, with a NUL for each variable part.
func literals(file *ast.File) []string {
	var texts []string
	ast.Inspect(file, func(n ast.Node) bool {
		e, ok := n.(ast.Expr)
		if !ok {
			return true
		}
		text := literal(e)
		if strings.Trim(text, "\x00") == "" {
			return true
		}
		texts = append(texts, text)
		return false
	})
	return texts
}

// literal returns the text of a string or of a sum with strings in it, else a NUL.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return verb.ReplaceAllString(text, "\x00")
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return literal(e.X) + literal(e.Y)
		}
	}
	return "\x00"
}

// TestMessages checks that the programs print what the documents say they do.
func TestMessages(t *testing.T) {
	t.Parallel()
	var texts []string
	files := token.NewFileSet()
	for _, path := range goFiles(t) {
		if strings.HasSuffix(path, "_test.go") || strings.HasPrefix(path, "../../test/") {
			continue
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		kit.Must(t, err)
		texts = append(texts, literals(file)...)
	}
	for _, document := range []string{"README.md", "docs/architecture.md", "docs/threat-model.md"} {
		messages := quoted(read(t, document))
		if document == "README.md" && len(messages) != 19 {
			t.Errorf("%s quotes %d messages, want 18: where a row was added or removed on purpose, correct this number", document, len(messages))
		}
		for _, m := range messages {
			pattern, words := said(m)
			if words < 2 || !slices.ContainsFunc(texts, pattern.MatchString) {
				t.Errorf("%s quotes %q, which no code prints", document, m)
			}
		}
	}
}

func TestSaid(t *testing.T) {
	t.Parallel()
	const code = `package a
		var _ = []any{
			f("tenant %q: the job has no token in %s", name, variable), "several tenants: " + list(names) + "; choose",
			f("STS at %s, %d tries: %s%s", host), f("policy file: %w", err), struct{ a int }{},
		}`
	file, err := parser.ParseFile(token.NewFileSet(), "a.go", code, parser.SkipObjectResolution)
	kit.Must(t, err)
	tests := []struct {
		message string
		want    bool
	}{
		{`the job has no token in GITLAB_OIDC_TOKEN`, true},
		{`tenant "alpha": the job has no token in X`, true},
		{`tenant ...: the job has no token`, true},
		{`several tenants: ...; choose`, true},
		{`several tenants`, true},
		{`STS at HOST, 3 tries: ...`, true},
		{`policy file: FILE:LINE: ...`, true},

		{`the job has no tokens in GITLAB_OIDC_TOKEN`, false},
		{`several tenants choose`, false},
		{`AWS at HOST, 3 tries: ...`, false},
		{`STS at HOST, and tries: ...`, false},
		{`several tenants: ... policy file`, false}, // of two texts
	}
	for _, test := range tests {
		pattern, _ := said(test.message)
		if got := slices.ContainsFunc(literals(file), pattern.MatchString); got != test.want {
			t.Errorf("%s is printed: %v, want %v", test.message, got, test.want)
		}
	}
}

func TestQuoted(t *testing.T) {
	t.Parallel()
	const document = "`make a b c` and `--config FILE`\n`these are four words`\n```\n`in a block of code`\n```\n" +
		"\n## When it fails\n\n| the log says | do |\n|---|---|\n| `a b`, `c` | `d e` |\n\n## More\n| `f` | g |\n`such as:  this is it`\n"
	want := []string{"a b", "c", "make a b c", "these are four words", "such as:  this is it"}
	if got := quoted(document); !slices.Equal(got, want) {
		t.Errorf("quoted: %q, want %q", got, want)
	}
}
