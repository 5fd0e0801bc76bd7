package prepare_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/internal/state"
	"rolecall/test/kit"
)

// TestHiddenRunner: a job whose runner cannot be seen to live gets nothing, since nothing
// would tell when its credentials must go.
func TestHiddenRunner(t *testing.T) {
	if !kit.InMounts(t, "a runner that /proc does not show") {
		return
	}
	kit.Must(t, unix.Setpgid(0, 0)) // the leader of this group may have ended
	c := newCall(t, newHost(t, newGitLab(t)))
	runner := state.Runner()
	kit.Mount(t, fmt.Sprintf("/proc/%d", runner), "", 0)
	got := c.serve()
	want := fmt.Sprintf("rolecall: error [RC500]: the runner, process %d, is not alive, or /proc does not show it\n", runner)
	if got.code != 2 || got.out != "" || !strings.HasSuffix(got.log, want) || len(c.cloud.asked) > 0 || len(c.left()) > 0 {
		t.Errorf("%+v, want %q; asked %v, left %v", got, want, c.cloud.asked, c.left())
	}
}
