// Package document reads the pages of the project as their readers do: which commands they are told
// to type, what these print, and which files they are told to write.
package document

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"

	"rolecall/test/kit"
)

// Step is what a page tells its reader to do: to type a command, or to write a file.
type Step struct {
	Line    int
	Command string // whole, in shell
	Output  string // what the page shows below the command
	Printed bool   // the page shows what the command prints
	File    string // a file, by the name that the text before it has last
	Content string // of the file, or what the reader gives to a command that asks for a text
}

// Section is the part of a page below a heading, up to the next one.
type Section struct {
	Page    string // its path, from the top of the project
	Heading string
	Steps   []Step
	Spans   []string // all code in its text
}

// top returns the folder of the project, whatever the folder of the process is.
func top() string {
	_, self, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(self), "../..")
}

// Pages returns the paths of all pages that readers follow: not of the changelog, which also names
// what is gone.
func Pages(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob(filepath.Join(top(), pattern))
		kit.Must(t, err)
		for _, path := range found {
			if name, err := filepath.Rel(top(), path); err == nil && name != "CHANGELOG.md" {
				all = append(all, name)
			}
		}
	}
	return all
}

// Sections returns the parts of a page.
func Sections(t testing.TB, page string) []Section {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(top(), page))
	kit.Must(t, err)
	sections, err := read(page, source)
	if err != nil {
		t.Fatalf("%s: %v", page, err)
	}
	return sections
}

// Part returns the part of a page below a heading.
func Part(t testing.TB, page, heading string) Section {
	t.Helper()
	for _, s := range Sections(t, page) {
		if s.Heading == heading {
			return s
		}
	}
	t.Fatalf("%s has no heading %q", page, heading)
	return Section{}
}

// Run does each step of a part of a page, in the order of the page. A rule of the house holds that each
// command of a page is in such a part.
func Run(t testing.TB, page, heading string, do func(Step)) {
	t.Helper()
	steps := Part(t, page, heading).Steps
	if len(steps) == 0 {
		t.Errorf("%s tells nobody to do anything below %q", page, heading)
	}
	for _, s := range steps {
		do(s)
	}
}

// RunSpans is Run for the commands in the text of a part of a page.
func RunSpans(t testing.TB, page, heading string, do func(command string)) {
	t.Helper()
	commands := Part(t, page, heading).Commands()
	if len(commands) == 0 {
		t.Errorf("%s has no command in the text below %q", page, heading)
	}
	for _, c := range commands {
		do(c)
	}
}

// read reads a page.
func read(page string, source []byte) ([]Section, error) {
	r := reader{source: source, sections: []Section{{Page: page}}}
	root := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(source))
	err := ast.Walk(root, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		return ast.WalkContinue, r.node(n)
	})
	return r.sections, err
}

// reader is where the reader of a page is.
type reader struct {
	source   []byte
	sections []Section
	file     string // the one that the text has named last
}

// section returns the part that is read.
func (r *reader) section() *Section { return &r.sections[len(r.sections)-1] }

// node reads a part of the text.
func (r *reader) node(n ast.Node) error {
	switch n := n.(type) {
	case *ast.Heading:
		r.file = ""
		r.sections = append(r.sections, Section{Page: r.section().Page, Heading: string(n.Lines().Value(r.source))})
	case *ast.CodeSpan:
		r.span(n)
	case *ast.CodeBlock:
		return r.commands(r.line(n), string(n.Lines().Value(r.source)))
	case *ast.FencedCodeBlock:
		below := n.PreviousSibling() != nil && n.PreviousSibling().Kind() == ast.KindCodeBlock
		return r.fence(r.line(n), string(n.Language(r.source)), string(n.Lines().Value(r.source)), below)
	}
	return nil
}

// span reads code in the text.
func (r *reader) span(n *ast.CodeSpan) {
	var all bytes.Buffer
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if part, ok := c.(*ast.Text); ok {
			all.Write(part.Value(r.source))
		}
	}
	span := strings.ReplaceAll(strings.ReplaceAll(all.String(), "\n", " "), `\|`, "|")
	r.section().Spans = append(r.section().Spans, span)
	if !strings.ContainsAny(span, " *") && filepath.Ext(span) != "" {
		r.file = span
	}
}

// line returns the line of a block of code.
func (r *reader) line(n ast.Node) int {
	if n.Lines().Len() == 0 {
		return 0
	}
	return 1 + bytes.Count(r.source[:n.Lines().At(0).Start], []byte("\n"))
}

// fence reads a block of code with a language. A script of the language "sh" is a command, and a program
// if it says what runs it. Directly below a command, a block without a language is what that prints, and
// one with a language what it asks for. All others are the files that were named last, if their names
// end so.
func (r *reader) fence(line int, language, code string, below bool) error {
	steps := r.section().Steps
	switch {
	case language == "sh":
		_, err := statements(code)
		step := Step{Line: line, Command: code}
		if strings.HasPrefix(code, "#!") {
			step = Step{Line: line, File: "script", Content: code}
		}
		r.section().Steps = append(steps, step)
		return at(line, err)
	case below && language == "":
		steps[len(steps)-1].Output, steps[len(steps)-1].Printed = code, true
	case below:
		steps[len(steps)-1].Content = code
	case language != "" && filepath.Ext(r.file) == "."+language:
		r.section().Steps = append(steps, Step{Line: line, File: r.file, Content: code})
	}
	return nil
}

// commands reads an indented block of code, which is one command after another.
func (r *reader) commands(line int, code string) error {
	all, err := statements(code)
	for _, one := range all {
		r.section().Steps = append(r.section().Steps, Step{Line: line, Command: one})
	}
	if err == nil && len(all) == 0 {
		err = errors.New("an indented block has no command: what is none belongs between ```")
	}
	return at(line, err)
}

// at says where an error is.
func at(line int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("line %d: %w", line, err)
}
