package cases

import "encoding/xml"

// The elements of a report that GitLab reads.
//
// https://docs.gitlab.com/ci/testing/unit_test_reports/
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   suite    `xml:"testsuite"`
	}
	suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Name    string   `xml:"name,attr"`
		Class   string   `xml:"classname,attr"`
		File    string   `xml:"file,attr"`
		Failure *failure `xml:"failure"`
	}
	failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit returns the results of the cases of a file as a report of JUnit.
func JUnit(file string, all []Result) []byte {
	s := suite{Name: "rolecall test", Tests: len(all)}
	for _, r := range all {
		one := testCase{Name: r.Name, Class: "policy", File: file}
		if !r.OK {
			s.Failures++
			one.Failure = &failure{r.Wrong, r.Why}
		}
		s.Cases = append(s.Cases, one)
	}
	text, _ := xml.MarshalIndent(suites{Suite: s}, "", "  ") // cannot fail: there are texts and numbers
	return append([]byte(xml.Header), append(text, '\n')...)
}
