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

// quoted returns the messages that a document quotes: what a line begins with below the
// heading of a code, and any other text in backquotes that has four plain words. (Write a
// command of four words as a block.)
func quoted(document string) []string {
	var messages []string
	text := regexp.MustCompile("(?s)\n```.*?\n```").ReplaceAllString(document, "")
	for _, line := range regexp.MustCompile("(?m)^`([^`\n]*)`(?:$|, with )").FindAllStringSubmatch(text, -1) {
		messages = append(messages, line[1])
	}
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
	for _, document := range []string{"README.md", "docs/authors.md", "docs/security.md", "docs/policy.md", "docs/operations.md", "docs/errors.md", "docs/architecture.md", "docs/threat-model.md", "docs/audit.md", "docs/containers.md", "docs/broker.md"} {
		messages := quoted(read(t, document))
		if document == "docs/errors.md" && len(messages) < 30 {
			t.Errorf("%s quotes %d messages, want at least 30", document, len(messages))
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
		"\n## RC101\n\n`a b`\n\n`c`, with `d`\n\n`f` and `g`\n`such as:  this is it`\n"
	want := []string{"these are four words", "a b", "c", "such as:  this is it", "make a b c"}
	if got := quoted(document); !slices.Equal(got, want) {
		t.Errorf("quoted: %q, want %q", got, want)
	}
}

// TestCodes: the page of errors has an entry for each code, in their order, and each code
// is used.
func TestCodes(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^\t(\w+) +Code = "(RC\d{3})"`).FindAllStringSubmatch(read(t, "internal/fault/code.go"), -1)
	var sources strings.Builder
	for _, path := range goFiles(t) {
		if !strings.HasSuffix(path, "_test.go") && !strings.HasSuffix(path, "fault/code.go") {
			sources.WriteString(read(t, strings.TrimPrefix(path, "../../")))
		}
	}
	var codes []string
	for _, code := range declared {
		codes = append(codes, code[2])
		if name := regexp.MustCompile(`\b(` + code[1] + "|" + code[2] + `)\b`); !name.MatchString(sources.String()) {
			t.Errorf("no error has the code %s", code[1])
		}
	}
	var entries []string
	for _, entry := range regexp.MustCompile(`(?m)^## (RC\d{3})$`).FindAllStringSubmatch(read(t, "docs/errors.md"), -1) {
		entries = append(entries, entry[1])
	}
	if len(codes) < 30 || !slices.IsSorted(codes) || !slices.Equal(codes, entries) {
		t.Errorf("docs/errors.md has entries for\n%q, want\n%q, sorted", entries, codes)
	}
}
