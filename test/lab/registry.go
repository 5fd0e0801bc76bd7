package lab

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// The login at a registry that is not open. The hash is bcrypt's of the password.
const (
	RegistryUser     = "ci"
	RegistryPassword = "a password of the lab"
	registryHash     = "$2y$04$H.6XAMzgGxUmHwfs5VoR/OpxUHT9s7eTsXYj1pqWHBtXnclcZ.e0G"
)

// RegistryProgram is the program that StartRegistry starts, and RegistryPackage the
// package of Debian that has it.
const (
	RegistryProgram = "docker-registry"
	RegistryPackage = "docker-registry"
)

// RegistryOptions say how to start a registry.
type RegistryOptions struct {
	Dir  string // an empty folder for the registry's files
	Open bool   // everybody may pull and push; else RegistryUser may
}

// Registry is a running registry of images. It speaks http.
type Registry struct {
	Address string // host and port, as a name of an image begins

	service *service
}

// StartRegistry starts a registry and waits until it answers. It ends with ctx or Close.
func StartRegistry(ctx context.Context, opts RegistryOptions) (*Registry, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	settings := "version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: " + filepath.Join(opts.Dir, "data") + "}, delete: {enabled: true}}\n" +
		"http: {addr: '" + address + "'}\n"
	users := filepath.Join(opts.Dir, "htpasswd")
	if !opts.Open {
		settings += "auth: {htpasswd: {realm: lab, path: " + users + "}}\n"
	}
	path := filepath.Join(opts.Dir, "registry.yml")
	err = errors.Join(os.WriteFile(path, []byte(settings), 0o600), os.WriteFile(users, []byte(RegistryUser+":"+registryHash+"\n"), 0o600))
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(RegistryProgram, "serve", path)
	cmd.Dir = opts.Dir
	cmd.Env = environment(opts.Dir, opts.Dir, []string{"OTEL_TRACES_EXPORTER=none"})
	r := &Registry{Address: address}
	if r.service, err = startService(ctx, cmd, filepath.Join(opts.Dir, "registry.log")); err != nil {
		return nil, err
	}
	if err := r.waitReady(ctx); err != nil {
		r.Close()
		return nil, r.service.fail(err)
	}
	return r, nil
}

// waitReady waits until the registry answers.
func (r *Registry) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Address+"/v2/", nil)
		if err != nil {
			return err
		}
		if response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request); err == nil {
			return response.Body.Close()
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-r.service.exited:
			return fmt.Errorf("it ended while starting: %w", r.service.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
}

// Name returns the name of an image of the registry in full. The argument is a repository
// with a tag, a digest or none, such as team/tool:1.
func (r *Registry) Name(image string) string { return r.Address + "/" + image }

// Push pushes an image or an index, and returns its digest.
func (r *Registry) Push(ctx context.Context, image string, what remote.Taggable) (string, error) {
	ref, err := name.ParseReference(r.Name(image))
	if err != nil {
		return "", err
	}
	login := authn.FromConfig(authn.AuthConfig{Username: RegistryUser, Password: RegistryPassword})
	if err := remote.Push(ref, what, remote.WithContext(ctx), remote.WithAuth(login)); err != nil {
		return "", err
	}
	return r.Digest(ctx, image)
}

// Digest returns the digest of an image or an index.
func (r *Registry) Digest(ctx context.Context, image string) (string, error) {
	ref, err := name.ParseReference(r.Name(image))
	if err != nil {
		return "", err
	}
	login := authn.FromConfig(authn.AuthConfig{Username: RegistryUser, Password: RegistryPassword})
	head, err := remote.Head(ref, remote.WithContext(ctx), remote.WithAuth(login))
	if err != nil {
		return "", err
	}
	return head.Digest.String(), nil
}

// Log returns the output of the registry.
func (r *Registry) Log() string { return strings.TrimSpace(r.service.log()) }

// Close ends the registry.
func (r *Registry) Close() { r.service.kill() }
