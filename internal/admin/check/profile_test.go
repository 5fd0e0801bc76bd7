package check_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"rolecall/test/kit"
)

// TestProfileOfHost: where a user has no startup files, those of the host are named, and no folder.
func TestProfileOfHost(t *testing.T) {
	t.Parallel()
	if !kit.InMounts(t, "a profile of the host") {
		return
	}
	for profile, want := range map[string]string{
		"echo hello\n":       "prints into every job log: hello | correct /etc/profile and /etc/profile.d\n",
		"echo in $HOME\n":    "prints into every job log: in HOME | correct /etc/profile and /etc/profile.d\n", // a temporary one, which has no other name
		"exit 3\n":           " with 3, and no script runs:  | correct /etc/profile and /etc/profile.d\n",
		"trap 'exit 3' EXIT": "ends with 3 after a script that succeeded:  | correct the files in /etc that bash reads at its end\n",
	} {
		h := newHost(t)
		isolate(t, h, alphaUser, betaUser)
		h.write(t, "etc/profile", profile, 0o644)
		kit.Must(t, unix.Mount(h.path("etc/profile"), "/etc/profile", "", unix.MS_BIND, ""))
		if got := text(h.check(t)); strings.Count(got, want) != 3 {
			t.Errorf("%q: nothing says %q in\n%s", profile, want, got)
		}
		kit.Must(t, unix.Unmount("/etc/profile", 0))
	}
}

// TestFolderNotSet: a folder that is not set, here that of images, is not taken for that of rolecall check itself.
func TestFolderNotSet(t *testing.T) {
	t.Parallel()
	if !kit.InChild(t, nil) {
		return
	}
	h := newHost(t)
	isolate(t, h, alphaUser, betaUser)
	h.mkdir(t, "closed", 0o700)
	kit.Must(t, os.Chdir(h.path("closed"))) //nolint:usetesting // t.Chdir forbids t.Parallel
	if got := text(h.check(t)); strings.Contains(got, "cannot pass through") || !strings.Contains(got, "is fit to run scripts") {
		t.Errorf("\n%s", got)
	}
}
