package setup_test

import (
	"os"
	"testing"

	"rolecall/test/kit"
)

// TestWithoutToken: of a runner without a token there is a template, and a config.toml has no runner but
// what gitlab-runner register does not set. One that is there stays, and the admin is told.
func TestWithoutToken(t *testing.T) {
	t.Parallel()
	for old, want := range map[string]struct {
		content string
		advice  int
	}{
		"":                                   {"concurrent = 4\n# Seconds that jobs have to end when the runner must stop at once.\nshutdown_timeout = 60\n\n", 0},
		"concurrent = 1\n":                   {"concurrent = 1\n", 1},
		"shutdown_timeout = 0\n":             {"shutdown_timeout = 0\n", 1},
		"shutdown_timeout = 90\n[[runners]]": {"shutdown_timeout = 90\n[[runners]]", 0},
	} {
		for _, exists := range []bool{old != "", true} {
			p, a := place(t), answers(t)
			a.Token = ""
			if exists {
				kit.Must(t, os.WriteFile(p.RunnerConfig, []byte(old), 0o600))
			}
			plan, err := p.Plan(a)
			kit.Must(t, err)
			kit.Must(t, plan.Write())
			content, err := os.ReadFile(p.RunnerConfig)
			if err != nil || string(content) != want.content || len(plan.Advice) != want.advice {
				t.Errorf("%q becomes %q, %v, with the advice %q", old, content, err, plan.Advice)
			}
			if _, err := os.Stat(p.Template()); err != nil {
				t.Error(err)
			}
		}
	}
}
