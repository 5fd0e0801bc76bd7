package admin

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"rolecall/internal/admin/cases"
	"rolecall/internal/admission"
	"rolecall/internal/image/request"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

const (
	maxTest    = 8 << 20 // bytes of a policy file and of a file of cases
	maxMissing = 10      // notes about what no case tests
)

// tested is what a test of a policy file tells.
type tested struct {
	Passed  int            `json:"passed"`
	Failed  int            `json:"failed"`
	Cases   []cases.Result `json:"cases"`
	Missing []string       `json:"missing,omitempty"` // what no case tests
	file    string
}

// test decides about the jobs of a table by a policy file, wherever it lies.
func (d call) test() *cobra.Command {
	var policy, junit *string
	var asJSON *bool
	c := newCommand("test CASES", "compare what a policy file decides about a table of jobs with what is expected", nil)
	c.Long = `test decides about each job of a table, as the stages do, and compares. It needs no root and no host
with a runner. The exit code is 0 if all is as expected, 1 if not or if the policy file is wrong,
and 2 if the command line or the table is wrong.`
	c.Example = "  rolecall test --config rolecall.toml --junit policy.xml cases.toml"
	c.Args = func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usageError{errors.New("name one file of cases, such as cases.toml")}
		}
		return nil
	}
	c.RunE = func(_ *cobra.Command, args []string) error { return d.runTest(*policy, args[0], *junit, *asJSON) }
	policy, asJSON = policyFlag(c), jsonFlag(c)
	junit = c.Flags().String("junit", "", "write a report of JUnit to `FILE`, for GitLab")
	return c
}

// runTest tests a policy file by the cases of a file.
func (d call) runTest(policyFile, file, junit string, asJSON bool) error {
	policy, err := d.unowned(policyFile)
	if err != nil {
		return err
	}
	content, err := readBounded(file, maxTest)
	if err != nil {
		return usageError{err}
	}
	table, err := cases.Read(file, content, policy)
	if err != nil {
		return usageError{fmt.Errorf("bad cases:\n%w", err)}
	}
	result := d.testAll(policy, table)
	result.file = file
	if junit != "" {
		if err := writeOpen(junit, cases.JUnit(file, result.Cases)); err != nil {
			return err
		}
	}
	if err := d.print(result, result.String(), asJSON); err != nil || result.Failed == 0 {
		return err
	}
	return errSick
}

// unowned reads a policy file that anybody may own: it is not the one that decides on a host.
func (d call) unowned(file string) (*tenant.Policy, error) {
	if file == "" {
		file = policyfile.Default
	}
	content, err := readBounded(file, maxTest)
	if err != nil {
		return nil, fmt.Errorf("policy file: %w", err)
	}
	policy, err := policyfile.Compile(file, content, d.schemas()...)
	if err != nil {
		return nil, fmt.Errorf("policy file:\n%w", err)
	}
	return policy, nil
}

// readBounded reads a file that has at most limit bytes.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes: probably the wrong file", path, limit)
	}
	return content, err
}

// testAll decides about all cases.
func (d call) testAll(policy *tenant.Policy, table []cases.Case) tested {
	result, reach := tested{Cases: []cases.Result{}}, cases.NewReach(policy)
	for _, one := range table {
		r, subject := one.Run(policy, d.decide)
		reach.Add(r.Got, subject)
		result.Cases = append(result.Cases, r)
		if r.OK {
			result.Passed++
		} else {
			result.Failed++
		}
	}
	result.Missing = reach.Missing()
	return result
}

// decide decides as on a runner that is root, with something else in the place of each file that
// the policy file names.
func (d call) decide(c admission.Case) (admission.Decision, error) {
	c.ReadImages, c.Providers = request.Read, d.orderers()
	c.ReadFile = standIn
	return admission.Decide(c)
}

// standIn returns something in the place of what a file has.
func standIn(_, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	return []byte("stands-in-for-a-file"), nil
}

// String returns the results for people.
func (t tested) String() string {
	text := ""
	for _, r := range t.Cases {
		text += t.line(r) + "\n"
	}
	for _, missing := range t.Missing[:min(len(t.Missing), maxMissing)] {
		text += "note: " + missing + "\n"
	}
	if more := len(t.Missing) - maxMissing; more > 0 {
		text += fmt.Sprintf("note: %d more that no case tests; --json has all\n", more)
	}
	return text + fmt.Sprintf("%d cases: %d ok, %d failed\n", len(t.Cases), t.Passed, t.Failed)
}

// line returns a result for people.
func (t tested) line(r cases.Result) string {
	text := "ok      " + plain(r.Name)
	if !r.OK {
		text = fmt.Sprintf("FAILED  %s (%s:%d): %s", plain(r.Name), t.file, r.Line, r.Wrong)
	}
	return strings.TrimSuffix(fmt.Sprintf("%s: %s, %s", text, resultOf(r), plain(r.Why)), ", ")
}

// resultOf returns what was decided, with the role or the rule.
func resultOf(r cases.Result) string {
	switch {
	case r.Role != "":
		return r.Got + ", " + r.Role
	case r.Rule != "":
		return r.Got + " by rule " + r.Rule
	}
	return r.Got
}

// plain returns a text that a file has, without characters that a terminal obeys.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
}
