package podman_test

import (
	"os/exec"
	"strconv"
	"testing"
	"time"

	"rolecall/internal/backend/podman"
	"rolecall/test/kit"
)

// TestNeighbours: the user of another tenant can neither read what a job with an image has
// on the host, nor reach its processes.
func TestNeighbours(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "users of other tenants") {
		return
	}
	p := built(t, 4732, nil)
	done := make(chan outcome, 1)
	go func() {
		done <- p.run("build_script", "touch "+p.slot()+"/began; sleep 6", func(s *step) { s.After = 5 * time.Second })
	}()
	kit.Await(t, "the script begins", func() bool { return exec.Command("test", "-e", p.slot()+"/began").Run() == nil })
	dir := podman.DirOf(p.data)
	attempts := map[string][]string{
		"the engine root":    {"ls", dir + "/root"},
		"the folders of all": {"ls", dir},
		"the store":          {"ls", p.dir + "/images/alpha/protected"},
		"other stores":       {"ls", p.dir + "/images"},
		"the work tree":      {"ls", p.slot()},
		"what is noted":      {"cat", dir + "/container.json"},
	}
	for name, pid := range p.living() {
		attempts["a signal to "+name] = []string{"kill", "-0", pid}
		attempts["the environment of "+name] = []string{"cat", "/proc/" + pid + "/environ"}
		attempts["the namespaces of "+name] = []string{"nsenter", "--target", pid, "--user", "--mount", "true"}
		attempts["the files of "+name] = []string{"ls", "/proc/" + pid + "/root/"}
	}
	if len(attempts) < 6+4*3 {
		t.Errorf("%d attempts, want those on podman, conmon and the script too: %v", len(attempts), p.living())
	}
	for what, command := range attempts {
		out, err := exec.Command("setpriv", append([]string{"--reuid=backup", "--regid=backup", "--clear-groups"}, command...)...).CombinedOutput()
		if err == nil {
			t.Errorf("another tenant's user gets %s: %s", what, strconv.Quote(string(out)))
		}
	}
	<-done
	kit.Must(t, p.reap())
}
