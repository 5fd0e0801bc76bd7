package selection_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rolecall/internal/gate/selection"
	"rolecall/internal/job"
	"rolecall/test/kit"
)

// git runs git in dir.
func git(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil && args[0] != "add" {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
}

// repository makes a project that git knows, with tracked, ignored and other files.
func repository(t *testing.T) string {
	t.Helper()
	dir := plant(t, []string{
		"tracked", "dir/tracked", "other", "dir/other", "new\nline", "\xff\xfe", ".env", "ignored.o", "dir/ignored.o", "link -> tracked", "nested/f", "empty/",
	})
	git(t, dir, "init", "-q")
	kit.Must(t, os.WriteFile(dir+"/.gitignore", []byte("*.o\n"), 0o600))
	git(t, dir, "add", "tracked", "dir/tracked", ".gitignore")
	git(t, dir+"/nested", "init", "-q")
	return dir
}

func TestUntracked(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	for _, u := range []selection.Upload{
		{Untracked: true},
		{Untracked: true, Paths: []string{"dir"}},
		{Untracked: true, Exclude: []string{"**/*.o", "link"}},
	} {
		compareUntracked(t, dir, u)
	}
	compareUntracked(t, dir+"/dir", selection.Upload{Untracked: true}) // a folder of a repository
	got, _ := selected(t, dir, selection.Upload{Untracked: true}, nil)
	if got["ignored.o"] != "ignored.o" || got["tracked"] != "" {
		t.Errorf("selected %q", got)
	}
}

func compareUntracked(t *testing.T, dir string, u selection.Upload) {
	t.Helper()
	got, problems := selected(t, dir, u, nil)
	if diff := cmp.Diff(archived(t, dir, u, nil), got); diff != "" || len(problems) > 0 {
		t.Errorf("%+v: problems %v, runner against selection:\n%s", u, problems, diff)
	}
}

// TestGitRefuses: the runner goes on without the untracked files.
func TestGitRefuses(t *testing.T) {
	t.Parallel()
	none := plant(t, []string{"a", "b"})
	broken := repository(t)
	kit.Must(t, os.WriteFile(broken+"/.git/config", []byte("[core\n"), 0o600))
	foreign := repository(t)
	if err := os.Lchown(foreign, 65534, 65534); err != nil {
		t.Logf("not root, so no project of another user: %v", err)
		foreign = none
	}
	for _, dir := range []string{none, broken, foreign} {
		u := selection.Upload{Untracked: true, Paths: []string{"a", "other"}}
		got, problems := selected(t, dir, u, nil)
		if diff := cmp.Diff(archived(t, dir, u, nil), got); diff != "" || len(got) != 1 {
			t.Errorf("%s: runner against selection:\n%s", dir, diff)
		}
		if len(problems) != 1 || problems[0].Missed || !strings.Contains(problems[0].String(), "exit status 128") {
			t.Errorf("%s: problems %v, want that git refused", dir, problems)
		}
	}
}

// TestNoGit: if untracked files cannot be listed, the problem says that files may be
// missed.
func TestNoGit(t *testing.T) {
	dir := repository(t)
	t.Setenv("PATH", t.TempDir())
	_, problems := selected(t, dir, selection.Upload{Untracked: true}, nil)
	if len(problems) != 1 || !problems[0].Missed || !strings.Contains(problems[0].String(), "untracked") {
		t.Errorf("problems %v, want one of the missing git", problems)
	}
}

// TestHostileRepository: nothing in a repository makes the driver's git start a
// program. The runner's own git would.
func TestHostileRepository(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	ran := filepath.Join(t.TempDir(), "ran")
	program := filepath.Join(t.TempDir(), "program")
	kit.Must(t, os.WriteFile(program, []byte("#!/bin/sh\necho \"$0 $*\" >>"+ran+"\n"), 0o700))
	hooks := filepath.Dir(program)
	for _, name := range []string{"post-index-change", "post-checkout", "pre-auto-gc"} {
		kit.Must(t, os.Symlink(program, filepath.Join(hooks, name)))
	}
	for key, value := range map[string]string{
		"core.fsmonitor": program, "core.hooksPath": hooks, "core.pager": program, "pager.ls-files": program, "core.sshCommand": program,
		"filter.x.clean": program, "filter.x.process": program, "core.editor": program, "alias.ls-files": "!" + program, "core.askPass": program,
		"credential.helper": program, "diff.external": program, "core.gitProxy": program, "submodule.recurse": "true", "index.threads": "true",
	} {
		git(t, dir, "config", key, value)
	}
	kit.Must(t, os.WriteFile(dir+"/.gitattributes", []byte("* filter=x\n"), 0o600))
	env := []string{
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=core.fsmonitor", "GIT_CONFIG_VALUE_0=" + program,
		"GIT_TRACE=" + ran, "GIT_TRACE2=" + ran, "GIT_PAGER=" + program,
	}
	got, problems := selected(t, dir, selection.Upload{Untracked: true}, env)
	if got["other"] == "" || len(problems) > 0 {
		t.Errorf("selected %q, problems %v", got, problems)
	}
	if text, err := os.ReadFile(ran); err == nil {
		t.Errorf("git ran a program or wrote a trace:\n%s", text)
	}
	// The trap works: git without the driver's settings runs it.
	git(t, dir, "ls-files", "-o")
	if _, err := os.Stat(ran); err != nil {
		t.Errorf("the trap of the test is none: %v", err)
	}
}

// TestGitEnvironment: a job may say where its repository is, as it may for the runner.
func TestGitEnvironment(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	hidden := filepath.Join(filepath.Dir(dir), "hidden")
	kit.Must(t, os.Rename(dir+"/.git", hidden))
	u := selection.Upload{Untracked: true}
	env := []string{"GIT_DIR=" + hidden, "GIT_WORK_TREE=" + dir}
	got, problems := selected(t, dir, u, env)
	if diff := cmp.Diff(archived(t, dir, u, env), got); diff != "" || len(problems) > 0 || got["other"] == "" {
		t.Errorf("problems %v, runner against selection:\n%s", problems, diff)
	}
}

// TestGitHangs: if a repository makes git wait, the context ends it.
func TestGitHangs(t *testing.T) {
	t.Parallel()
	dir := repository(t)
	kit.Must(t, syscall.Mkfifo(dir+"/.git/fifo", 0o600))
	git(t, dir, "config", "include.path", dir+"/.git/fifo")
	project, err := selection.OpenProject(dir)
	kit.Must(t, err)
	defer project.Close()
	vars, err := project.Variables(job.Request{}, nil, os.Environ())
	kit.Must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	_, err = project.Select(ctx, []selection.Upload{{Untracked: true}}, vars)
	if err == nil || time.Since(begin) > 3*time.Second {
		t.Errorf("error %v after %v, want that of the context", err, time.Since(begin))
	}
}
