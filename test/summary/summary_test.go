package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"rolecall/test/kit"

	"github.com/google/go-cmp/cmp"
)

// packages are those of a module, by folder: what may become of tests.
func packages() map[string]string {
	return map[string]string{
		"pass":  "func TestA(t *testing.T) { t.Log(`not shown`) }",
		"none":  "",
		"build": "func TestA(t *testing.T) { undefined() }",
		"fail": "func TestA(t *testing.T) { t.Run(`b`, func(t *testing.T) { t.Error(\"this\\nis wrong\") }); t.Run(`c`, func(*testing.T) {}) }\n" +
			"func TestB(t *testing.T) { t.Log(`not shown`) }\nfunc TestC(t *testing.T) { t.Fatal(`this too`) }",
		"panics": "func TestA(*testing.T) { panic(`out of order`) }",
		"skip":   "func TestA(t *testing.T) { t.Run(`b`, func(t *testing.T) { t.Skip(`no room`) }) }\nfunc TestB(t *testing.T) { t.SkipNow() }",
	}
}

// goTest runs go test on packages in a module of their own, and returns what it
// writes to its standard output.
func goTest(t *testing.T, folders []string, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{"go.mod": "module m\n\ngo 1.26\n"}
	for _, folder := range folders {
		name, text := "a_test.go", "package a\n\nimport \"testing\"\n\n"+packages()[folder]
		if packages()[folder] == "" {
			name, text = "a.go", "package a\n"
		}
		files[filepath.Join(folder, name)] = text
	}
	for path, text := range files {
		path = filepath.Join(dir, path)
		kit.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		kit.Must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	command := exec.CommandContext(t.Context(), "go", append(append([]string{"test", "-vet=off", "-count=1"}, flags...), "./...")...)
	command.Dir, command.Env = dir, append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	out, err := command.Output() // an error is that of a test
	if len(out) == 0 {
		t.Fatalf("go test: %v", err)
	}
	return string(out)
}

// plain returns the lines of an output without what differs from run to run.
func plain(output string) []string {
	output = regexp.MustCompile(`\d+\.\d+s|/tmp/\S+|0x[0-9a-f]+|goroutine \d+|\{0x.*\}`).ReplaceAllString(output, "N")
	return slices.DeleteFunc(strings.Split(output, "\n"), func(line string) bool {
		return line == "FAIL" || strings.HasPrefix(line, "# m/") || strings.Contains(line, "undefined: ") // go test has them on stderr or at the very end
	})
}

// TestAsGoTest compares with what go test itself prints.
func TestAsGoTest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		folder string
		code   int
		want   string // beside what go test prints
	}{
		{"pass", 0, ""},
		{"none", 0, ""},
		{"build", 1, "build/a_test.go:5:28: undefined: undefined\n"},
		{"fail", 1, ""},
		{"panics", 1, ""},
		{"skip", 0, "\nnot tested here, and why:\n  m/skip TestA/b: no room\n  m/skip TestB: no reason given\n"},
	}
	for _, test := range tests {
		t.Run(test.folder, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			code := summarize(strings.NewReader(goTest(t, []string{test.folder}, "-json")), &out, false)
			if code != test.code || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit code %d, want %d, and %q in\n%s", code, test.code, test.want, &out)
			}
			got := plain(strings.Replace(out.String(), test.want, "", 1))
			if diff := cmp.Diff(plain(goTest(t, []string{test.folder})), got); diff != "" {
				t.Errorf("not as go test (-) prints it:\n%s", diff)
			}
		})
	}
}

// TestSummarize: events that go test does not print where all is well, and what
// the exit code is.
func TestSummarize(t *testing.T) {
	t.Parallel()
	const (
		passed  = `{"Action":"output","Package":"m/a","Output":"ok  \tm/a\t1.0s\n"}` + "\n" + `{"Action":"pass","Package":"m/a"}` + "\n"
		skipped = `{"Action":"output","Package":"m/b","Test":"TestB","Output":"    b_test.go:7: run as"}` + "\n" +
			`{"Action":"output","Package":"m/b","Test":"TestB","Output":" root\n"}` + "\n" +
			`{"Action":"skip","Package":"m/b","Test":"TestB"}` + "\n" + `{"Action":"pass","Package":"m/b"}` + "\n"
		begun = `{"Action":"run","Package":"m/c","Test":"TestC"}` + "\n" + `{"Action":"output","Package":"m/c","Test":"TestC","Output":"working\n"}` + "\n"
		list  = "\nnot tested here, and why:\n  m/b TestB: run as root\n"
	)
	tests := []struct {
		name, events string
		strict       bool
		code         int
		want         string
	}{
		{"passed", passed, true, 0, "ok  \tm/a\t1.0s\n"},
		{"skipped", passed + skipped, false, 0, "ok  \tm/a\t1.0s\n" + list},
		{"skipped in CI", skipped + passed, true, 1, "ok  \tm/a\t1.0s\n" + list + "FAIL\tCI tests everything: give it what these tests need, or set ROLECALL_CI=0\n"},
		{"no event", "warning: x\n" + passed + "done", true, 0, "warning: x\nok  \tm/a\t1.0s\ndone"},
		{"nothing", "", false, 1, "FAIL\tno package was tested\n"},
		{"cut off", passed + begun, false, 1, "ok  \tm/a\t1.0s\nworking\nFAIL\tm/c [no result: go test was cut off]\n"},
		{"does not build", `{"Action":"build-output","ImportPath":"m/d","Output":"d.go:1: no\n"}` + "\n" + `{"Action":"fail","Package":"m/d"}`, false, 1, "d.go:1: no\n"},
	}
	for _, test := range tests {
		var out strings.Builder
		code := summarize(strings.NewReader(test.events), &out, test.strict)
		if diff := cmp.Diff(test.want, out.String()); diff != "" || code != test.code {
			t.Errorf("%s: exit code %d, want %d:\n%s", test.name, code, test.code, diff)
		}
	}
}
