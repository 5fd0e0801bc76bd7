package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/fakests"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// TestServiceEnvironment runs a job on services whose locale, HOME or PATH is odd: it gets
// its credentials, or the log says what is wrong.
func TestServiceEnvironment(t *testing.T) {
	t.Parallel()
	sts, err := fakests.Start()
	kit.Must(t, err)
	t.Cleanup(sts.Close)
	const given = "\nkeys: given"
	const usual = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	for name, test := range map[string]struct {
		env    string // DIR is a folder with a blank
		reason string // GitLab's failure reason; empty: the job succeeds
		log    string
	}{
		"Turkish":        {env: "LC_ALL=tr_TR.UTF-8", log: given},
		"C":              {env: "LC_ALL=C", log: given},
		"no such locale": {env: "LC_ALL=xx_XX.none", log: given},
		"HOME":           {env: "HOME=DIR", log: given},
		"HOME is a file": {env: "HOME=/etc/passwd", log: given},
		"PATH":           {env: "PATH=DIR:" + usual, log: given},
		"PATH, empty":    {env: "PATH=::" + usual + ":", log: given},
		"PATH, none":     {env: "PATH=DIR", reason: "runner_system_failure", log: `exec: "bash": executable file not found in $PATH`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a folder")
			kit.Must(t, os.Mkdir(dir, 0o700))
			w := &world{gitlab: startGitLab(t)}
			w.runner = startRunner(t, lab.RunnerOptions{
				Dir: t.TempDir(), Coordinator: w.gitlab.URL(),
				Env:     []string{"AWS_ENDPOINT_URL_STS=" + sts.URL(), "AWS_REGION=eu-central-1", strings.ReplaceAll(test.env, "DIR", dir)},
				Runners: []lab.Runner{{Name: "odd", Token: sharedToken, Args: lab.NoPolicy()}},
			})
			run := w.enqueue(sharedToken, w.job("alpha", `echo "keys: ${AWS_ACCESS_KEY_ID:+given}"`))
			if result := wait(t, run); result.FailureReason != test.reason {
				t.Errorf("%+v, want %q", result, test.reason)
			}
			contains(t, run.Text(), test.log)
			w.checkNoFolders(t, run)
		})
	}
}
