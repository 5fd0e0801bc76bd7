package program_test

import (
	"strings"
	"testing"

	"rolecall/internal/fault"
	"rolecall/internal/program"
)

// TestNotAs: only root, and the user itself, can run scripts as a user.
func TestNotAs(t *testing.T) {
	t.Parallel()
	const daemon = 1 // on every host
	for _, test := range []struct {
		euid int
		user string
		want string // empty: the job may run
	}{
		{0, "daemon", ""},
		{daemon, "daemon", ""},
		{daemon + 1, "daemon", `user "daemon": uid 2 cannot run scripts as uid 1: let root run the runner; remove User= from its unit`},
		{daemon + 1, "nosuch", ""},
	} {
		err := program.NotAs(test.euid)(test.user)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want) || fault.SideOf(err) != fault.Admin) {
			t.Errorf("uid %d as %s: %v, want %q", test.euid, test.user, err, test.want)
		}
	}
}

// TestNoContainers: only root can run containers.
func TestNoContainers(t *testing.T) {
	t.Parallel()
	if err := program.NoContainers(0); err != nil {
		t.Errorf("root: %v", err)
	}
	if err := program.NoContainers(1000); err == nil || fault.CodeOf(err) != fault.RootContainer {
		t.Errorf("another user: %v", err)
	}
}
