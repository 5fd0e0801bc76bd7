package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// ownHost names the variable that says that this process has an /etc and a /home of its
// own.
const ownHost = "E2E_OWN_HOST"

// onHost runs the test once more in a process that can change /etc and /home, as an
// admin does, without a trace on this host; there it returns true.
func onHost(t *testing.T) bool {
	t.Helper()
	if os.Getenv(ownHost) != "" {
		return true
	}
	kit.NeedRoot(t, "users are made as an admin makes them")
	const script = `mount -t tmpfs none "$1" && cp -a /etc "$1/etc" && mkdir "$1/home" && mount --bind "$1/etc" /etc && mount --bind "$1/home" /home && exec "$2" -test.v -test.run="^$3$"`
	command := exec.CommandContext(t.Context(), "sh", "-ec", script, "sh", t.TempDir(), os.Args[0], t.Name())
	command.Env = append(os.Environ(), ownHost+"=yes")
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: "+t.Name()) {
		t.Errorf("%v\n%s", err, out)
	}
	return false
}

// useradd makes a user by a line of a document, in which name stands for the user's.
func useradd(t *testing.T, line, name, user string) {
	t.Helper()
	words := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "sudo "))
	for i, word := range words {
		if word == name {
			words[i] = user
		}
	}
	if out, err := exec.CommandContext(t.Context(), words[0], words[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", words, err, out)
	}
}

// TestUsersOfDebian makes users as docs/install.md says, and as the line says that Debian's
// admins know by heart, with what Debian puts into each home. The jobs of both work.
func TestUsersOfDebian(t *testing.T) {
	t.Parallel()
	if !onHost(t) {
		return
	}
	page, err := os.ReadFile("../../docs/install.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^    sudo useradd .* ci-alpha$`).FindString(string(page))
	useradd(t, line, "ci-alpha", "ci-byhand")
	useradd(t, "useradd --system --create-home ci", "ci", "ci-skel")
	if _, err := os.Stat("/home/ci-skel/.bash_logout"); err != nil {
		t.Fatalf("this is no Debian: %v", err)
	}
	gitlab := startGitLab(t)
	for _, user := range []string{"ci-byhand", "ci-skel"} {
		startRunner(t, lab.RunnerOptions{
			Dir: filepath.Join(t.TempDir(), "runner"), Coordinator: gitlab.URL(),
			Runners: []lab.Runner{{Name: user, Token: "glrt-" + user + "01", Args: []string{"--no-policy", "--run-as", user}}},
		})
		run := gitlab.Enqueue("glrt-"+user+"01", coordinator.Job{
			Project: coordinator.Project{ID: 42, Path: "acme/deploy"}, Script: []string{"echo $(id -un) in $HOME"}, AfterScript: []string{"echo after"},
		})
		if result := wait(t, run); result.State != "success" {
			t.Errorf("%s: %+v; log:\n%s", user, result, run.Text())
		}
		contains(t, run.Text(), fmt.Sprintf("%[1]s in /home/%[1]s", user))
	}
}
