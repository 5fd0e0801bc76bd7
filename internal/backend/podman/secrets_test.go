package podman_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/mask"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// TestSecretsNowhere: while a script runs that has credentials, they are in no argument and
// no environment of a process outside the container, in no file of podman, and in nothing that
// podman says of its containers. The script itself has them.
func TestSecretsNowhere(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "secrets of scripts in containers") {
		return
	}
	const secret = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY42"
	p := newJob(t, 4731, withServices("none", web("80", "one", "db"))).withImage("LABEL a=b")
	kit.Must(t, p.build())
	file := filepath.Join(p.order.Secrets, ".aws.alpha.env")
	kit.Must(t, os.MkdirAll(p.order.Secrets, 0o711))
	kit.Must(t, os.WriteFile(file, []byte("AWS_SECRET_ACCESS_KEY="+secret+"\n"), 0o600))
	ended := make(chan outcome, 1)
	go func() {
		ended <- p.run("build_script", `[ "${#AWS_SECRET_ACCESS_KEY}" = 40 ] && grep -q "$AWS_SECRET_ACCESS_KEY" `+file+` || exit 3
echo "printed $AWS_SECRET_ACCESS_KEY"; touch `+p.slot()+`/began; until [ -e `+p.slot()+`/end ]; do sleep 0.1; done`, func(s *step) {
			s.Set, s.Files = []string{"AWS_SECRET_ACCESS_KEY=" + secret}, []string{file}
		})
	}()
	kit.Await(t, "the script begins", func() bool { return podmanBegan(p) || len(ended) > 0 })
	said := p.says("ps", "--all", "--format=json") + p.says("inspect", "job", "service0")
	if !strings.Contains(said, "--log-driver=none") || !strings.Contains(said, "HEALTHCHECK_TCP_PORT") {
		t.Errorf("podman says nothing of the job and its service: %s", said)
	}
	found := append(processesWith(secret), p.filesWith(secret)...)
	kit.Must(t, os.WriteFile(p.slot()+"/end", nil, 0o600))
	if o := <-ended; o.Code != 0 || o.Err != "" || !strings.HasPrefix(o.stdout, "printed "+secret) {
		t.Fatalf("the script: %+v", o)
	}
	if found = append(found, p.filesWith(secret)...); len(found) > 0 || strings.Contains(said, secret) {
		t.Errorf("the secret is in %q, or in what podman says: %s", found, said)
	}
	kit.Must(t, p.reap())
}

// says returns what podman says of the containers of the job.
func (p *placed) says(args ...string) string {
	p.t.Helper()
	var said string
	kit.Must(p.t, apart(func() (err error) {
		said, err = podman.New(host.New()).Ask(p.t.Context(), p.data, args...)
		return err
	}))
	return said
}

// filesWith returns the files that podman may have written for the job and hold a text. The
// file of the secret itself is in another folder.
func (p *placed) filesWith(text string) []string {
	p.t.Helper()
	return filesWith(p.t, text, podman.DirOf(p.data), p.images(), p.dir+"/builds", podman.LinksDir, "/run/containers", "/run/crun", "/run/libpod", "/var/tmp", "/dev/shm")
}

// TestLoginNowhere: while an image is pulled, the login is in no argument, no environment and
// no file.
func TestLoginNowhere(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "logins to registries") {
		return
	}
	r := newRegistryWith(t, lab.RegistryOptions{Dir: t.TempDir()})
	digest := push(t, r, "ci/login:1", 1<<20)
	asked, goOn := make(chan struct{}), make(chan struct{})
	front := r.StartFront(func(_ http.ResponseWriter, request *http.Request) bool {
		if _, _, isLogin := request.BasicAuth(); isLogin && strings.Contains(request.URL.Path, "/blobs/") {
			asked <- struct{}{}
			<-goOn
		}
		return false
	})
	t.Cleanup(front.Close)
	p := newJob(t, unique(4738), func(s *backend.Spec) {
		s.Containers.Image = backend.Image{Name: front.Address + "/ci/login:1", Policies: []backend.PullPolicy{backend.Always}}
	})
	p.order.Resolve = func(context.Context, backend.Image) (string, error) { return digest, nil }
	p.order.Logins = []backend.Login{{Host: front.Address, Username: lab.RegistryUser, Password: mask.NewSecret(lab.RegistryPassword)}}
	auth := base64.StdEncoding.EncodeToString([]byte(lab.RegistryUser + ":" + lab.RegistryPassword))
	done := make(chan error, 1)
	go func() { done <- p.build() }()
	<-asked
	for _, secret := range []string{lab.RegistryPassword, auth} {
		if found := append(processesWith(secret), p.filesWith(secret)...); len(found) > 0 {
			t.Errorf("while podman pulls, the login is in %q", found)
		}
	}
	go func() {
		for range asked { // further requests go on, too
		}
	}()
	close(goOn)
	kit.Must(t, <-done)
	if found := append(p.filesWith(lab.RegistryPassword), p.filesWith(auth)...); len(found) > 0 {
		t.Errorf("after the pull the login is in %q", found)
	}
	kit.Must(t, p.reap())
}

// processesWith returns the arguments and environments, outside of containers, that hold a
// text.
func processesWith(text string) []string {
	own, _ := os.Readlink("/proc/self/ns/pid")
	var found []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if its, err := os.Readlink(dir + "/ns/pid"); err != nil || its != own {
			continue
		}
		environ, _ := os.ReadFile(dir + "/environ")
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
