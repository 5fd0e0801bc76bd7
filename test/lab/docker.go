package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// DockerProgram is the program that StartDocker starts, and DockerPackage the package of
// Debian that has it.
const (
	DockerProgram = "dockerd"
	DockerPackage = "docker.io"
)

// helperImage is the name of the image with GitLab Runner's helper.
const helperImage = "lab/helper:1"

// Docker is a running Docker Engine. Its processes, mounts and images end with it. The default
// route of its containers leads to the network of the test.
type Docker struct {
	Host string // the URL of its socket

	service *service
	groups  string // the folder of its containers' control groups
	http    *http.Client
}

// StartDocker starts an engine whose socket and log are in dir, and waits until it answers and
// has the helper image. It ends with ctx or Close. Call it as root, in a child of
// kit.InNetwork, after kit.Unify.
func StartDocker(ctx context.Context, dir string) (*Docker, error) {
	socket, data := filepath.Join(dir, "docker.sock"), filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, err
	}
	parent := fmt.Sprintf("/rolecall-lab-%d", os.Getpid())
	// It gets new mounts, so that it finds nothing of an engine of the host.
	const script = `set -e
mount -t proc proc /proc; mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs "$1"
mkdir -p /etc/docker; mount -t tmpfs tmpfs /etc/docker
exec "$2" --data-root "$1/root" --exec-root "$1/exec" --pidfile "$1/pid" -H "unix://$3" --cgroup-parent "$4" \
  --exec-opt native.cgroupdriver=cgroupfs --bip 172.31.0.1/24 --iptables=false --ip-masq=false`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", data, DockerProgram, socket, parent)
	cmd.Dir = dir
	cmd.Env = environment(dir, dir, nil)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	d := &Docker{Host: "unix://" + socket, groups: "/sys/fs/cgroup" + parent, http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
	var err error
	if d.service, err = startService(ctx, cmd, filepath.Join(dir, "docker.log")); err != nil {
		return nil, err
	}
	if err := errors.Join(d.waitReady(ctx), d.importHelper(ctx)); err != nil {
		return nil, errors.Join(d.service.fail(err), d.Close())
	}
	return d, nil
}

// waitReady waits until the engine answers.
func (d *Docker) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if err := d.call(ctx, http.MethodGet, "/_ping", nil); err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-d.service.exited:
			return fmt.Errorf("it ended while starting: %w", d.service.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
}

// call calls the engine's API. Errors may be in an answer that began well.
//
// https://docs.docker.com/reference/api/engine/
func (d *Docker) call(ctx context.Context, method, path string, body io.Reader) error {
	request, err := http.NewRequestWithContext(ctx, method, "http://docker"+path, body)
	if err != nil {
		return err
	}
	response, err := d.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = errors.New(response.Status)
	}
	var last struct{ Error string }
	for lines := json.NewDecoder(bytes.NewReader(text)); err == nil && lines.Decode(&last) == nil; {
		if last.Error != "" {
			err = errors.New(last.Error)
		}
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", method, path, err, text)
	}
	return nil
}

// Import makes an image of files, with a name that has a tag. It has no configuration; jobs may
// also name images of a Registry. The engine hashes the files: in a test that would take long.
func (d *Docker) Import(ctx context.Context, image string, files ...ImageFile) error {
	packed, err := PackImage(files...)
	if err != nil {
		return err
	}
	query := url.Values{"fromSrc": {"-"}, "repo": {image}}
	return d.call(ctx, http.MethodPost, "/images/create?"+query.Encode(), bytes.NewReader(packed))
}

// importHelper makes the image in which GitLab Runner's own scripts of a job run.
func (d *Docker) importHelper(ctx context.Context) error {
	programs, err := Find("gitlab-runner")
	if err != nil {
		return err
	}
	runner, err := os.ReadFile(programs.GitLabRunner)
	if err != nil {
		return err
	}
	files, err := BusyboxFiles()
	if err != nil {
		return err
	}
	git, err := HostFiles("/usr/bin/git", "/usr/lib/git-core/git-remote-http")
	if err != nil {
		return err
	}
	return d.Import(ctx, helperImage, append(append(files, git...),
		ImageFile{Path: "usr/bin/gitlab-runner-helper", Content: string(runner)},
		ImageFile{Path: "usr/bin/gitlab-runner-build", Content: "#!/bin/sh\numask 0000\nexec /bin/sh\n"},
	)...)
}

// Runner returns a runner of the docker executor whose jobs run in an image of the engine
// unless they name another, and reach the GitLab server at a URL. If it is the Coordinator of
// the options too, jobs can have artifacts.
func (d *Docker) Runner(token, image, gitlab string) Runner {
	return Runner{Name: "docker", Token: token, Executor: "docker", Settings: fmt.Sprintf(
		"clone_url = %q\n[runners.docker]\nhost = %q\nimage = %q\nhelper_image = %q\npull_policy = \"if-not-present\"\n", gitlab, d.Host, image, helperImage)}
}

// Log returns the output of the engine.
func (d *Docker) Log() string { return d.service.log() }

// Close ends the engine and all that runs in it.
func (d *Docker) Close() error {
	d.service.kill() // it is the first process of its namespace, so the others are gone too
	d.http.CloseIdleConnections()
	return removeGroups(d.groups)
}
