package main

import (
	"context"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/test/lab"
)

// greeting is what a file of the image says, before its name.
const greeting = "hello from the image "

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

// path returns a path in the folder of the demo.
func (w *world) path(name string) string { return filepath.Join(w.dir, name) }
