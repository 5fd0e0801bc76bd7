package setup_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/admin/setup"
	"rolecall/test/kit"
)

// TestLink: a config.toml that is a link stays one, and the file that it leads to gets the runner.
func TestLink(t *testing.T) {
	t.Parallel()
	p := place(t)
	real := filepath.Dir(p.RunnerConfig) + "/real.toml"
	kit.Must(t, os.WriteFile(real, []byte("concurrent = 1\n"), 0o600))
	kit.Must(t, os.Symlink("real.toml", p.RunnerConfig))
	plan, err := p.Plan(answers(t))
	kit.Must(t, err)
	kit.Must(t, plan.Write())
	content, err := os.ReadFile(real)
	target, _ := os.Readlink(p.RunnerConfig)
	if err != nil || target != "real.toml" || !strings.Contains(string(content), "[[runners]]\nname = 'deploy'") {
		t.Errorf("%v, %q:\n%s", err, target, content)
	}
}

// TestOdd: what editors and other programs leave in a config.toml is no obstacle, or is named.
func TestOdd(t *testing.T) {
	t.Parallel()
	for content, says := range map[string]string{
		"": "",
		"concurrent = 1\r\n[[runners]]\r\n  name = \"x\"\r\n": "",
		"[session_server]\nlisten = \"x\"":                    "",
		"\ufeffconcurrent = 1\n":                              "no TOML that can be read",
		"runners = []\n":                                      "remove runners = [...]",
		"runners = [{name = \"x\"}]\n":                        "remove runners = [...]",
	} {
		p := place(t)
		kit.Must(t, os.WriteFile(p.RunnerConfig, []byte(content), 0o600))
		plan, err := p.Plan(answers(t))
		if says != "" {
			if err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%q: error %v, want %q", content, err, says)
			}
			continue
		}
		kit.Must(t, err)
		kit.Must(t, plan.Write())
		now, err := os.ReadFile(p.RunnerConfig)
		if err != nil || !strings.HasPrefix(string(now), content) || strings.Contains(string(now), "shutdown_timeout = 60") != (content == "") {
			t.Errorf("%q: %v\n%s", content, err, now)
		}
	}
}

// TestInterrupt: an interrupt in the middle leaves no half, and another rolecall init waits.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	p := place(t)
	kit.Must(t, os.WriteFile(p.RunnerConfig, []byte("concurrent = 1\n"), 0o600))
	plan, err := p.Plan(answers(t))
	kit.Must(t, err)
	kit.Must(t, os.Remove(p.RunnerConfig))
	kit.Must(t, unix.Mkfifo(p.RunnerConfig, 0o600))
	before := files(t, p)
	ended := make(chan error)
	go func() { ended <- plan.Write() }()
	fifo, err := os.OpenFile(p.RunnerConfig, os.O_WRONLY, 0) // waits until the writer compares config.toml
	kit.Must(t, err)
	for _, signal := range []unix.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP} {
		kit.Must(t, unix.Kill(os.Getpid(), signal))
	}
	folder, err := os.Open(filepath.Dir(p.RunnerConfig))
	kit.Must(t, err)
	defer folder.Close()
	if err := unix.Flock(int(folder.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
		t.Errorf("the lock of config.toml: %v", err)
	}
	kit.Must(t, fifo.Close())
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "nothing was written") {
		t.Errorf("error %v", err)
	}
	if now := files(t, p); !slices.Equal(now, before) {
		t.Errorf("files %q, before %q", now, before)
	}
}

// TestAnswers: answers that no host can have are refused.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*setup.Answers)
		says   string
	}{
		"a BOM":           {func(a *setup.Answers) { a.Token = "\ufeffglrt-1" }, "no token has"},
		"two words":       {func(a *setup.Answers) { a.Token = "glrt 1" }, "has blanks"},
		"an escape":       {func(a *setup.Answers) { a.Token = "glrt\x1b[2J" }, "no token has"},
		"quotes":          {func(a *setup.Answers) { a.Token = `"glrt-1"` }, "no token has"},
		"another file":    {func(a *setup.Answers) { a.Token = strings.Repeat("x", 1001) }, "no token has"},
		"a long URL":      {func(a *setup.Answers) { a.Issuer = "https://" + strings.Repeat("x", 1000) }, "longer than 1000 characters"},
		"a long audience": {func(a *setup.Answers) { a.Audience = strings.Repeat("x", 1001) }, "longer than 1000 characters"},
		"a long name":     {func(a *setup.Answers) { a.Runner = strings.Repeat("x", 1001) }, "longer than 1000 characters"},
		"no name":         {func(a *setup.Answers) { a.Runner = "" }, `the runner's name is ""`},
		"a name of signs": {func(a *setup.Answers) { a.Runner = "r\x1b[2J" }, `the runner's name is "r\x1b[2J"`},
	} {
		a := answers(t)
		kit.Must(t, a.Check())
		c.change(&a)
		if err := a.Check(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %q", name, err, c.says)
		}
	}
	if got := setup.Server("https://example.com/gitlab//"); got != "https://example.com/gitlab" {
		t.Error(got)
	}
}
