package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"rolecall/packaging/build"
	"rolecall/packaging/bundle"
	"rolecall/packaging/image"
	"rolecall/packaging/notices"
	"rolecall/packaging/sbom"
	"rolecall/packaging/seal"
	"rolecall/packaging/tree"
)

// The marker in a folder of packages that the key of tests has signed.
const marker = "SIGNED-BY-A-TEST-KEY.txt"

// warning says what such a signature is worth.
const warning = `THESE PACKAGES ARE SIGNED BY THE KEY OF TESTS. Everybody has its secret half, so the
signature says nothing about who has made them. They are no release.
`

// release makes a release.
type release struct {
	root, dist, key, only string

	source   build.Source
	programs string // a folder with a folder for each architecture
}

// make makes all of it.
func (r *release) make(ctx context.Context) (err error) {
	if r.source, err = build.Read(ctx, r.root, os.Getenv); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(r.dist), os.MkdirAll(r.dist, 0o755)); err != nil {
		return err
	}
	if r.programs, err = os.MkdirTemp("", "rolecall-programs-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.programs) //nolint:errcheck // a temporary folder
	arches := r.arches()
	for _, arch := range arches {
		if err := r.source.Programs(ctx, arch, filepath.Join(r.programs, arch)); err != nil {
			return err
		}
	}
	parts, err := tree.Make(ctx, r.root, filepath.Join(r.programs, runtime.GOARCH), r.source.Full(), r.source.Time)
	if err != nil {
		return err
	}
	if err := r.each(arches, func(arch string) error { return r.bundles(parts, arch) }); err != nil || r.only != "" {
		return err
	}
	if err := errors.Join(r.image(), r.parts(), r.try(ctx)); err != nil {
		return err
	}
	return r.sign()
}

// arches returns the architectures whose programs are needed: this host's for its --help, and
// those of the packages.
func (r *release) arches() []string {
	arches := append(build.Architectures(), runtime.GOARCH)
	if arch, _, one := strings.Cut(r.only, "/"); one {
		arches = []string{arch, runtime.GOARCH}
	}
	slices.Sort(arches)
	return slices.Compact(arches)
}

// each calls do for the architectures of packages, all at once.
func (r *release) each(arches []string, do func(arch string) error) error {
	results := make(chan error)
	started := 0
	for _, arch := range build.Architectures() {
		if slices.Contains(arches, arch) && (r.only == "" || strings.HasPrefix(r.only, arch+"/")) {
			started++
			go func() { results <- do(arch) }()
		}
	}
	var err error
	for range started {
		err = errors.Join(err, <-results)
	}
	return err
}

// bundles makes the packages and the archive for an architecture.
func (r *release) bundles(parts tree.Parts, arch string) error {
	parts.Programs = filepath.Join(r.programs, arch)
	driver, err := tree.Driver(parts)
	if err != nil {
		return err
	}
	broker := tree.Broker(parts)
	for _, format := range []string{"deb", "rpm"} {
		if r.only != "" && r.only != arch+"/"+format {
			continue
		}
		for settings, files := range map[string]tree.Tree{"packaging/rolecall.yaml": driver, "packaging/rolecall-broker.yaml": broker} {
			if format == "rpm" {
				files = append(slices.Clone(files), tree.Preset(parts, strings.Contains(settings, "broker")))
			}
			b := bundle.Bundle{Source: r.source, Arch: arch, Tree: files}
			if err := b.Package(r.dist, settings, format); err != nil {
				return err
			}
		}
	}
	if r.only != "" {
		return nil
	}
	return bundle.Bundle{Source: r.source, Arch: arch, Tree: tree.Join(driver, broker)}.Archive(r.dist)
}

// image makes the image of the broker.
func (r *release) image() error {
	f, err := os.Create(filepath.Join(r.dist, "rolecall-broker-"+r.source.Full()+".oci.tar"))
	if err != nil {
		return err
	}
	return errors.Join(image.Write(f, r.source, r.programs), f.Chmod(0o644), f.Close())
}

// parts writes what the programs are made of.
func (r *release) parts() error {
	var folders []string
	for _, arch := range build.Architectures() {
		folders = append(folders, filepath.Join(r.programs, arch))
	}
	programs, err := notices.Linked(folders...)
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(r.dist, "rolecall-"+r.source.Full()+".cdx.json"))
	if err != nil {
		return err
	}
	list := sbom.List{Version: r.source.Full(), Time: r.source.Time, Go: strings.TrimPrefix(runtime.Version(), "go"), Programs: programs}
	return errors.Join(list.Write(f), f.Chmod(0o644), f.Close())
}

// try runs the programs, where this host can run those of an architecture, and says so.
func (r *release) try(ctx context.Context) error {
	for _, arch := range build.Architectures() {
		said, err := exec.CommandContext(ctx, "sh", filepath.Join(r.root, "packaging/scripts/try"), filepath.Join(r.programs, arch), arch).CombinedOutput()
		if err != nil {
			return fmt.Errorf("the programs for %s do not run: %w\n%s", arch, err, said)
		}
		fmt.Printf("%s: %s\n", arch, strings.TrimSpace(string(said)))
	}
	return nil
}

// sign writes the sums and their signature.
func (r *release) sign() error {
	path := cmp.Or(r.key, filepath.Join(r.root, "packaging/testdata/test-key.asc"))
	key, err := seal.Read(path)
	if err != nil {
		return err
	}
	if r.key == "" {
		if err := os.WriteFile(filepath.Join(r.dist, marker), []byte(warning), 0o644); err != nil {
			return err
		}
	}
	if err := key.Write(r.dist, r.source.Time); err != nil {
		return err
	}
	fmt.Printf("%s: rolecall %s, signed by %s\n", r.dist, r.source.Full(), key.Fingerprint())
	if r.key == "" {
		fmt.Fprint(os.Stderr, "\n", warning, "make packages KEY=FILE signs with the key of releases.\n")
	}
	return nil
}
