package state_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"rolecall/internal/creds"
	"rolecall/internal/mask"
	"rolecall/internal/state"
	"rolecall/test/kit"
)

// inFolder returns credentials whose file has a folder of its own.
func inFolder() creds.Set {
	set := withFile()
	set[1].Files[0].As = "config.json"
	return set
}

// TestFolderOfFile: the variable of such a file names the folder, in which the file has the name that
// a tool wants. It is the driver's file under another name, and goes with the job.
func TestFolderOfFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	kit.Must(t, f.Write(inFolder()))
	set, err := f.Read()
	kit.Must(t, err)
	if environ := strings.Join(set.Environ(), " "); !strings.HasSuffix(environ, " VAULT_FILE="+p.file()) {
		t.Errorf("the environment is %s", environ)
	}
	path := filepath.Join(p.file(), "config.json")
	if files := f.Files(set); len(files) != 2 || files[1] != path {
		t.Errorf("the files are %q", files)
	}
	kept, err := os.Stat(filepath.Join(p.root, "7/kept/.rolecall.vault.json"))
	kit.Must(t, err)
	if file, err := os.Stat(path); err != nil || !os.SameFile(file, kept) || kept.Mode() != 0o600 {
		t.Errorf("%v, mode %v, %v", file, kept.Mode(), err)
	}
	held, err := os.Open(path)
	kit.Must(t, err)
	defer held.Close()
	p.remove(t, 7)
	p.gone(t, 7)
	content := make([]byte, 4)
	if n, err := held.ReadAt(content, 0); n != 4 || string(content) != "\x00\x00\x00\x00" {
		t.Errorf("after the job it holds %q, %v", content, err)
	}
}

// TestFolderOfUser: the job's user reads the file, and can change nothing in its folder.
func TestFolderOfUser(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "a job of another user")
	dir := kit.OpenDir(t)
	kit.Must(t, os.Chmod(dir, 0o755))
	p := place{filepath.Join(dir, "root"), "", dir}
	f, err := state.Create(p.root, key(7), state.Record{Tenant: "alpha", Owner: &state.Owner{UID: jobUID, GID: jobUID}}, "")
	kit.Must(t, err)
	defer f.Close()
	kit.Must(t, f.Write(inFolder()))
	as := func(command string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: jobUID, Gid: jobUID}}
		out, err := cmd.Output()
		return string(out), err
	}
	if out, err := as("cat " + p.file() + "/config.json"); err != nil || !strings.Contains(out, token) {
		t.Errorf("the job reads %q, %v", out, err)
	}
	for _, command := range []string{"echo x >> %/config.json", "rm -f %/config.json", "touch %/x", "mv % %2", "ls %"} {
		if out, err := as(strings.ReplaceAll(command, "%", p.file())); err == nil {
			t.Errorf("the job can %s: %q", command, out)
		}
	}
}

// TestFolderReplaced: such a file is replaced in its folder, and is made anew if a job of the driver's
// user has removed it.
func TestFolderReplaced(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	f := create(t, p, 7)
	kit.Must(t, f.Write(inFolder()))
	for n, before := range []func(){func() {}, func() { kit.Must(t, os.RemoveAll(p.file())) }} {
		before()
		c := fresh(n)
		c.Files[0].As = "config.json"
		kit.Must(t, replace(f, c))
		if content, err := os.ReadFile(p.file() + "/config.json"); err != nil || string(content) != c.Files[0].Content.Reveal() {
			t.Errorf("%d: %q, %v", n, content, err)
		}
	}
	p.remove(t, 7)
	p.gone(t, 7)
}

// TestFolderRefused: where the folder or another file cannot be made, nothing of the credentials is
// left.
func TestFolderRefused(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(p place, set creds.Set) creds.Set{
		"a file": func(p place, set creds.Set) creds.Set {
			kit.Must(t, os.WriteFile(p.file(), nil, 0o600))
			return set
		},
		"a later file": func(p place, set creds.Set) creds.Set {
			set[1].Files = append(set[1].Files, creds.File{Name: "other", Content: mask.NewSecret(token)})
			kit.Must(t, os.WriteFile(filepath.Join(p.secret(7), ".rolecall.other"), nil, 0o600))
			return set
		},
	} {
		p := newPlace(t)
		f := create(t, p, 7)
		if err := f.Write(plant(p, inFolder())); err == nil {
			t.Errorf("%s: it is written", name)
		}
		p.noSecret(t)
		if _, err := os.Stat(p.file() + "/config.json"); err == nil {
			t.Errorf("%s: the file is left", name)
		}
		p.remove(t, 7)
	}
	set := inFolder()
	set[1].Files[0].As = "../x"
	if err := create(t, newPlace(t), 7).Write(set); err == nil || !strings.Contains(err.Error(), "the name of the file vault.json in its own folder is malformed") {
		t.Errorf("a name that leads out: %v", err)
	}
}
