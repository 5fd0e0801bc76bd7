package admin

import (
	"bytes"
	"io"

	"rolecall/internal/admin/check"
)

// Blocks returns what check prints of findings.
func Blocks(findings []check.Finding, verbose bool) (string, int) {
	var out bytes.Buffer
	c := call{stdout: &out, stderr: io.Discard}
	code := c.exitCode(c.printFindings(findings, false, verbose))
	return out.String(), code
}

// PrintTo prints findings as a program whose standard output is out.
func PrintTo(out io.Writer, environ []string, findings []check.Finding) {
	_ = call{stdout: &output{Writer: out}, stderr: io.Discard, environ: environ}.printFindings(findings, false, false)
}
