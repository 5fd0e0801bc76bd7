// Package image makes the image of the broker, without a daemon and without a base: one
// program, and the certificates of the authorities that browsers trust.
package image

import (
	"archive/tar"
	"bytes"
	"encoding/pem"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/crypto/x509roots/fallback/bundle"

	"rolecall/packaging/build"
)

// user is who the broker is in a container: no user of any host.
const user = "65532:65532"

// program is the broker's path in the image.
const program = "/usr/libexec/rolecall/rolecall-broker"

// Write writes a layout of OCI with an image for each architecture, as an archive. Programs
// are in folders that have the names of the architectures, in the folder dir.
//
// https://github.com/opencontainers/image-spec/blob/main/image-layout.md
func Write(w io.Writer, source build.Source, dir string) error {
	temp, err := os.MkdirTemp("", "rolecall-image-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp) //nolint:errcheck // a temporary folder
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range build.Architectures() {
		image, err := forArch(source, arch, filepath.Join(dir, arch, "rolecall-broker"))
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}},
		})
	}
	top := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{
		Add: index, Descriptor: v1.Descriptor{Annotations: map[string]string{"org.opencontainers.image.ref.name": name(source)}},
	})
	if _, err := layout.Write(temp, top); err != nil {
		return err
	}
	return archive(w, temp, source.Time)
}

// name returns what podman calls the image. A tag may have no tilde.
func name(source build.Source) string {
	return "rolecall-broker:" + strings.ReplaceAll(source.Full(), "~", "-")
}

// forArch returns the image for an architecture.
func forArch(source build.Source, arch, path string) (v1.Image, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	files, err := layer(source.Time, content)
	if err != nil {
		return nil, err
	}
	base := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err := mutate.Append(base, mutate.Addendum{
		Layer: files, History: v1.History{Created: v1.Time{Time: source.Time}, CreatedBy: "rolecall " + source.Full()},
	})
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, settings(image, source, arch))
}

// settings returns how a container of the image starts.
func settings(image v1.Image, source build.Source, arch string) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil {
		config = &v1.ConfigFile{}
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, v1.Time{Time: source.Time}
	config.Config = v1.Config{
		User: user, WorkingDir: "/", Entrypoint: []string{program},
		Labels: map[string]string{
			"org.opencontainers.image.title": "rolecall-broker", "org.opencontainers.image.version": source.Full(),
			"org.opencontainers.image.revision": source.Commit, "org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.created": source.Time.Format(time.RFC3339),
		},
	}
	return config
}

// layer returns the files of the image: the broker, the certificates, and a folder for its state.
func layer(when time.Time, broker []byte) (v1.Layer, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, dir := range []string{"etc", "etc/rolecall", "etc/ssl", "etc/ssl/certs", "run", "usr", "usr/libexec", "usr/libexec/rolecall"} {
		if err := add(w, tar.Header{Name: dir + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: when}, nil); err != nil {
			return nil, err
		}
	}
	own := tar.Header{Name: "run/rolecall-broker/", Typeflag: tar.TypeDir, Mode: 0o700, Uid: 65532, Gid: 65532, ModTime: when}
	if err := add(w, own, nil); err != nil {
		return nil, err
	}
	if err := add(w, tar.Header{Name: "etc/ssl/certs/ca-certificates.crt", Typeflag: tar.TypeReg, Mode: 0o644, ModTime: when}, certificates()); err != nil {
		return nil, err
	}
	if err := add(w, tar.Header{Name: program[1:], Typeflag: tar.TypeReg, Mode: 0o755, ModTime: when}, broker); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(out.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}

// certificates returns those of Mozilla's list. An authority that Mozilla trusts only within
// bounds is left out: a file cannot say which bounds.
func certificates() []byte {
	var out bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return out.Bytes()
}

// add adds a file or a folder to an archive.
func add(w *tar.Writer, header tar.Header, content []byte) error {
	header.Size, header.Format = int64(len(content)), tar.FormatUSTAR
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// archive writes the files of a folder, sorted by their names.
func archive(w io.Writer, dir string, when time.Time) error {
	out := tar.NewWriter(w)
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return add(out, tar.Header{Name: name + "/", Typeflag: tar.TypeDir, Mode: 0o755, ModTime: when}, nil)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return add(out, tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, ModTime: when}, content)
	})
	if err != nil {
		return err
	}
	return out.Close()
}
