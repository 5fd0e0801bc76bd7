package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json.
//
// https://pkg.go.dev/cmd/test2json#hdr-Output_Format and go help buildjson
type event struct {
	Action  string
	Package string
	Test    string // empty for what is about the package
	Output  string // a line or a part of one
}

// summary is the state of all tests so far.
type summary struct {
	out     io.Writer
	running map[string]*results // by package
	ended   int                 // packages
	skipped []string
	failed  bool
}

// results are the results of one package.
type results struct {
	output strings.Builder // of the package itself
	tests  []*test         // in the order in which they began
}

// test is one test, or one subtest.
type test struct {
	name   string
	output strings.Builder
	ended  string // "pass", "skip", "fail", or empty: the test was cut off
}

// summarize reads events, writes the summary to out, and returns the exit code. If
// strict is set, a skipped test counts as a failure. It copies a line that is not an
// event.
func summarize(events io.Reader, out io.Writer, strict bool) int {
	s := summary{out: out, running: map[string]*results{}}
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			s.print(line)
		} else {
			s.add(e)
		}
		if err != nil {
			break
		}
	}
	return s.end(strict)
}

// add adds an event.
func (s *summary) add(e event) {
	if strings.HasPrefix(e.Action, "build-") {
		s.print(e.Output)
		return
	}
	r := s.running[e.Package]
	if r == nil {
		r = &results{}
		s.running[e.Package] = r
	}
	ends := e.Action == "pass" || e.Action == "skip" || e.Action == "fail"
	switch {
	case e.Test != "" && ends:
		r.test(e.Test).ended = e.Action
	case e.Test != "":
		r.test(e.Test).output.WriteString(e.Output)
	case ends:
		s.endPackage(e.Package, e.Action)
	default:
		r.output.WriteString(e.Output)
	}
}

// test returns the test with this name, and adds it if it is new.
func (r *results) test(name string) *test {
	for _, t := range slices.Backward(r.tests) {
		if t.name == name {
			return t
		}
	}
	t := &test{name: name}
	r.tests = append(r.tests, t)
	return t
}

// endPackage prints the results of a package that has ended, as go test does.
func (s *summary) endPackage(name, action string) {
	r := s.running[name]
	delete(s.running, name)
	s.ended++
	for _, t := range r.tests {
		switch {
		case t.ended == "skip":
			s.skipped = append(s.skipped, fmt.Sprintf("  %s %s: %s\n", name, t.name, t.reason()))
		case action == "fail" && t.ended != "pass":
			s.print(t.failure(r.depth(t)))
		}
	}
	s.failed = s.failed || action == "fail"
	for line := range strings.Lines(r.output.String()) {
		if action == "fail" && line != "PASS\n" || strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "?   \t") {
			s.print(line)
		}
	}
}

// depth returns how many tests contain a subtest.
func (r *results) depth(t *test) int {
	n := 0
	for _, other := range r.tests {
		if strings.HasPrefix(t.name, other.name+"/") {
			n++
		}
	}
	return n
}

// failure returns the output of a failed test. It begins with the line that names the
// test, and is indented by four spaces for each test that contains it.
func (t *test) failure(depth int) string {
	var head, body string
	indent := strings.Repeat("    ", depth)
	for line := range strings.Lines(t.output.String()) {
		switch {
		case strings.HasPrefix(line, "=== "): // go test prints these only with -v
		case strings.HasPrefix(strings.TrimSpace(line), "--- FAIL: "+t.name+" "):
			head = indent + line
		default:
			body += indent + line
		}
	}
	return head + body
}

// place matches the position that precedes the text of t.Log.
var place = regexp.MustCompile(`^\s*\S+\.go:\d+: `)

// reason returns in one line why a test was skipped.
func (t *test) reason() string {
	var reasons []string
	for line := range strings.Lines(t.output.String()) {
		line = strings.TrimSpace(place.ReplaceAllString(line, ""))
		if !strings.HasPrefix(line, "=== ") && !strings.HasPrefix(line, "--- SKIP: ") {
			reasons = append(reasons, line)
		}
	}
	if len(reasons) == 0 {
		return "no reason given"
	}
	return strings.Join(reasons, " ")
}

// end prints the tests that were skipped, and returns the exit code.
func (s *summary) end(strict bool) int {
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		s.endPackage(name, "fail")
		s.print("FAIL\t" + name + " [no result: go test was cut off]\n")
	}
	if s.ended == 0 {
		s.print("FAIL\tno package was tested\n")
		return 1
	}
	if len(s.skipped) > 0 {
		s.print("\nnot tested here, and why:\n" + strings.Join(s.skipped, ""))
	}
	if strict && len(s.skipped) > 0 {
		s.print("FAIL\tCI tests everything: give it what these tests need, or set ROLECALL_CI=0\n")
	}
	if s.failed || strict && len(s.skipped) > 0 {
		return 1
	}
	return 0
}

// print writes a text. Errors are ignored: if out is broken, go run reports it.
func (s *summary) print(text string) { _, _ = io.WriteString(s.out, text) }
