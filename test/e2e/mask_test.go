package e2e_test

import (
	"strings"
	"testing"

	"rolecall/test/coordinator"
)

// testMasked runs scripts that print what was issued in the ways in which that
// happens by accident. That no secret is in the log of these jobs, as of any
// other, is checked when all are over.
func testMasked(t *testing.T, w *world) {
	job := w.job("alpha",
		"env",
		`echo "plain=$AWS_SECRET_ACCESS_KEY."`,
		`set -x; : "$AWS_SESSION_TOKEN"; set +x`,
		`printf 'halves=%s' "${AWS_SESSION_TOKEN:0:50}"; sleep 1.5; echo "${AWS_SESSION_TOKEN:50}."`,
		"sleep 1", // the runner mixes the time of a line on stderr with one of stdout that just goes on
		`for i in 1 2 3; do echo "out=$AWS_ACCESS_KEY_ID."; echo "err=$AWS_SECRET_ACCESS_KEY." >&2; done`,
		`echo "base64=$(printf %s "$AWS_SESSION_TOKEN" | base64 -w0)"`,
		`cat "$ROLECALL_ENV_FILE"`)
	job.AfterScript = []string{`echo "after=$AWS_SECRET_ACCESS_KEY."`}
	log := w.succeed(t, sharedToken, job)
	contains(t, log, "\nplain=[MASKED].", "halves=[MASKED].", "\nbase64=[MASKED]", "\nout=[MASKED].", "\nerr=[MASKED].", "\nafter=[MASKED].",
		"AWS_SESSION_TOKEN=[MASKED]", "AWS_REGION=eu-central-1")
}

// testForms runs a script that prints what was issued as tools do: in lines of base64, with
// colours, and with escapes of JSON and HTML.
func testForms(t *testing.T, w *world) {
	job := w.job("alpha",
		`echo "wrapped $(printf %s "$AWS_SESSION_TOKEN" | base64)."`,
		`echo "coloured $(printf %s "$AWS_SECRET_ACCESS_KEY" | sed "s/./&$(printf '\033[0m')/5")."`,
		`echo "JSON $(printf %s "$AWS_SECRET_ACCESS_KEY" | sed 's/+/\\u002B/g; s,/,\\u002F,g')."`,
		`echo "HTML $(printf %s "$AWS_SECRET_ACCESS_KEY" | sed 's/+/\&#43;/g; s,/,\&#x2F;,g')."`)
	contains(t, w.succeed(t, sharedToken, job), "\nwrapped [MASKED]", "\ncoloured [MASKED]", "\nJSON [MASKED].", "\nHTML [MASKED].")
}

// testTraced runs a job with CI_DEBUG_TRACE, which traces every line that the
// runner and the user have written, in every stage.
func testTraced(t *testing.T, w *world) {
	job := w.job("beta", `echo "traced=$AWS_SECRET_ACCESS_KEY."`, `. "$ROLECALL_ENV_FILE"`)
	job.Variables = append(job.Variables, coordinator.Variable{Key: "CI_DEBUG_TRACE", Value: "true"})
	log := w.succeed(t, sharedToken, job)
	contains(t, log, "traced=[MASKED].", "+ AWS_SECRET_ACCESS_KEY=[MASKED]")
	if !strings.Contains(log, "set -o xtrace") && !strings.Contains(log, "\n+ ") && !strings.Contains(log, "++ ") {
		t.Error("the job was not traced")
	}
}
