package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/lab"
)

// greeting is what a file of the image says, before its name.
const greeting = "hello from the image "

// users are the unix users of the tenants: those that every Debian has.
func users() []string { return []string{"www-data", "backup"} }

// startRegistry starts a registry that everybody may pull from, and pushes the image. As with
// amazon/aws-cli, its entrypoint is not a shell but the client.
func (w *world) startRegistry(ctx context.Context, image string) error {
	dir := filepath.Join(w.dir, "registry")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	var err error
	if w.registry, err = lab.StartRegistry(ctx, lab.RegistryOptions{Dir: dir, Open: true}); err != nil {
		return err
	}
	programs, err := lab.Find("s3job")
	if err != nil {
		return err
	}
	client, err := os.ReadFile(programs.S3Job)
	if err != nil {
		return err
	}
	files, err := lab.BusyboxFiles()
	if err != nil {
		return err
	}
	made, err := lab.NewImage(v1.Config{Entrypoint: []string{"/usr/local/bin/s3job"}}, append(files,
		lab.ImageFile{Path: "usr/local/bin/s3job", Content: string(client)}, lab.ImageFile{Path: "etc/motd", Mode: 0o644, Content: greeting + image + "\n"})...)
	if err != nil {
		return err
	}
	_, err = w.registry.Push(ctx, image, made)
	return err
}

// writePolicy writes a policy file in which each tenant has a unix user, and may use the
// image. It returns the flags of the runner.
func (w *world) writePolicy(p pipeline) ([]string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "builds_dir = %q\ncache_dir = %q\n[gitlab]\nissuer = %q\n[containers]\nengine = \"podman\"\nimages_dir = %q\n[defaults]\nprojects = [%q]\nimages = [%q]\n",
		w.path("builds"), w.path("cache"), w.gitlab.Issuer(), w.path("images"), projectPath, w.registry.Name(p.image))
	for i, matrix := range p.matrix {
		tenant := matrix["TENANT"]
		fmt.Fprintf(&text, "[[tenant]]\nname = %q\nrun_as = %q\nrole_arn = %q\naudience = \"https://%s.example\"\n", tenant, users()[i], w.sts.RoleARN(tenant), tenant)
	}
	path := w.path("rolecall.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		return nil, err
	}
	return []string{"--config", path}, os.Chmod(w.dir, 0o711)
}

// path returns a path in the folder of the demo.
func (w *world) path(name string) string { return filepath.Join(w.dir, name) }
