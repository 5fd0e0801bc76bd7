package podman_test

import (
	"strings"
	"testing"
	"time"

	"rolecall/test/kit"
)

// TestStageDies: the run stage is killed while its script runs. The next script cannot start, and
// the error says why.
func TestStageDies(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "the end of jobs in containers") {
		return
	}
	p := built(t, unique(4748), nil)
	_, child := p.command("build_script", "touch "+p.slot()+"/began; sleep 1000", nil)
	kit.Must(t, child.Start())
	for end := time.Now().Add(time.Minute); !podmanBegan(p) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	kit.Must(t, child.Process.Kill())
	_ = child.Wait()
	o := p.run("after_script", "echo ran", nil)
	if want := "rolecall was killed while it ran the script before this one, and the container ended with it"; !strings.HasPrefix(o.Err, want) || o.FaultCode != "RC531" || strings.HasPrefix(o.stdout, "ran") {
		t.Errorf("%+v, want %q", o, want)
	}
	kit.Must(t, p.reap())
	p.checkNothing("the stage is killed")
}
