package podman_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"rolecall/internal/backend/podman"
	"rolecall/test/kit"
)

// TestSecretsNowhere: while a script runs that has credentials, they are in no argument and
// no environment of a process outside the container, and in no file of podman. The script
// itself has them.
func TestSecretsNowhere(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "secrets of scripts in containers") {
		return
	}
	const secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY42"
	p := built(t, 4731, nil)
	file := filepath.Join(p.order.Secrets, ".aws.alpha.env")
	kit.Must(t, os.MkdirAll(p.order.Secrets, 0o711))
	kit.Must(t, os.WriteFile(file, []byte("AWS_SECRET_ACCESS_KEY="+secret+"\n"), 0o600))
	searched := make(chan []string, 1)
	go func() {
		for range 400 {
			if _, err := os.Stat(p.slot() + "/began"); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		searched <- append(processesWith(secret), filesWith(t, secret, podman.DirOf(p.data), p.dir+"/images", "/run/rolecall-podman")...)
		_ = os.WriteFile(p.slot()+"/end", nil, 0o600)
	}()
	o := p.run("build_script", `[ "${#AWS_SECRET_ACCESS_KEY}" = 40 ] && grep -q "$AWS_SECRET_ACCESS_KEY" `+file+` || exit 3
touch `+p.slot()+`/began; until [ -e `+p.slot()+`/end ]; do sleep 0.1; done`, func(s *step) {
		s.Set, s.Files = []string{"AWS_SECRET_ACCESS_KEY=" + secret}, []string{file}
	})
	if o.Code != 0 || o.Err != "" {
		t.Fatalf("the script: %+v", o)
	}
	if found := <-searched; len(found) > 0 {
		t.Errorf("the secret is in %q", found)
	}
	if found := filesWith(t, secret, podman.DirOf(p.data), p.dir+"/images", p.dir+"/builds"); len(found) > 0 {
		t.Errorf("after the script the secret is in %q", found)
	}
	kit.Must(t, p.reap())
}

// processesWith returns the arguments and environments, outside of containers, that hold a
// text. The environment of the child process of the test has it, since it is told so.
func processesWith(text string) []string {
	own, _ := os.Readlink("/proc/self/ns/pid")
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if its, err := os.Readlink(dir + "/ns/pid"); err != nil || its != own {
			continue
		}
		environ, _ := os.ReadFile(dir + "/environ")
		if bytes.Contains(environ, []byte("STEP=")) || dir == "/proc/"+strconv.Itoa(os.Getpid()) {
			continue
		}
		command, _ := os.ReadFile(dir + "/cmdline")
		if bytes.Contains(append(command, environ...), []byte(text)) {
			name, _ := os.ReadFile(dir + "/comm")
			found = append(found, dir+" "+string(name))
		}
	}
	return found
}

// filesWith returns the files below the folders that hold a text.
func filesWith(t *testing.T, text string, dirs ...string) []string {
	t.Helper()
	var found []string
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return nil //nolint:nilerr // it has gone meanwhile
			}
			if content, err := os.ReadFile(path); err == nil && bytes.Contains(content, []byte(text)) {
				found = append(found, path)
			}
			return nil
		})
	}
	return found
}
