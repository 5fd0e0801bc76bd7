package admin_test

import (
	"bytes"
	"os"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/admin"
	"rolecall/internal/creds/aws/grant"
	"rolecall/test/kit"
)

// TestCheckUnprinted: findings that nobody has seen are an error, and it says why.
func TestCheckUnprinted(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	kit.Must(t, err)
	defer full.Close()
	var says bytes.Buffer
	code := admin.Program{grant.AWS{}}.Serve([]string{"check", "--runner-config", "/none"}, nil, strings.NewReader(""), full, &says)
	if code != 1 || !strings.Contains(says.String(), "no space left on device") {
		t.Errorf("exit code %d, it says %q", code, &says)
	}
}

// TestExplainNotRoot: who is not root is not told what a runner that is root would do.
func TestExplainNotRoot(t *testing.T) {
	t.Parallel()
	if !kit.IsChild(t) {
		kit.NeedRoot(t, "another user")
	}
	if !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 64132, Gid: 64132}}) {
		return
	}
	w := newWorld(t)
	got := run("", "explain", "--no-policy", "--run-as", "root", "--job", w.job(t, w.token()))
	if got.code != 2 || got.out != "" || !strings.Contains(got.errors, "--run-as root: the runner's service is not root, its uid is 64132") {
		t.Errorf("%+v", got)
	}
}
