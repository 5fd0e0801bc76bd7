package cgroup_test

import (
	"os"
	"strings"
	"testing"

	"rolecall/internal/cgroup"
	"rolecall/test/kit"
)

func TestReap(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, v variant) {
		g := newGroup(t, v)
		g.start(t, "setsid sleep 1000 & setsid sleep 1000")
		g.await(t, 2)
		kit.Must(t, cgroup.Reap(t.Context(), g.parent.Path(), g.job))
		g.expectNoneMarked(t)
		if _, err := os.Stat(g.path); !os.IsNotExist(err) {
			t.Errorf("the group: %v", err)
		}
		kit.Must(t, cgroup.Reap(t.Context(), g.parent.Path(), g.job)) // there is none any more
	})
}

func TestReapParent(t *testing.T) {
	t.Parallel()
	tests := []struct{ parent, want string }{
		{"/sys/fs/cgroup/none/such", ""},
		{"/proc", "/proc: not a cgroup"},
	}
	for _, test := range tests {
		err := cgroup.Reap(t.Context(), test.parent, cgroup.NameOf(1, ""))
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: %v, want %q", test.parent, err, test.want)
		}
	}
}
