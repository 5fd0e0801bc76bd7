package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// ImageFile is a file of an image.
type ImageFile struct {
	Path    string // without a slash at its beginning; with one at its end it is a folder
	Mode    int64  // 0: 0755
	UID     int
	Content string
	Link    string // what a link points to; empty: it is a file
	Type    byte   // as package tar has it; 0: a file, a folder or a symbolic link
}

// NewImage returns an image for this host with that configuration and those files.
func NewImage(config v1.Config, files ...ImageFile) (v1.Image, error) {
	return NewLayers(config, files)
}

// NewLayers returns an image that has a layer for each list of files, the lowest one first.
func NewLayers(config v1.Config, lists ...[]ImageFile) (v1.Image, error) {
	var layers []v1.Layer
	var ids []v1.Hash
	for _, files := range lists {
		layer, id, err := newLayer(files)
		if err != nil {
			return nil, err
		}
		layers, ids = append(layers, layer), append(ids, id)
	}
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(image, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH, Config: config,
		RootFS: v1.RootFS{Type: "layers", DiffIDs: ids},
	})
}

// newLayer returns a layer with files, and what a configuration says of it.
func newLayer(files []ImageFile) (v1.Layer, v1.Hash, error) {
	packed, err := PackImage(files...)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed)), nil },
		tarball.WithCompressionLevel(gzip.BestSpeed), tarball.WithCompressedCaching)
	if err != nil {
		return nil, v1.Hash{}, err
	}
	id, err := layer.DiffID()
	return layer, id, err
}

// PackImage returns files in an archive, with the folders that they are in.
func PackImage(files ...ImageFile) ([]byte, error) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	made := map[string]bool{".": true}
	for _, f := range files {
		if err := packFolder(w, filepath.Dir(filepath.Clean(f.Path)), made); err != nil {
			return nil, err
		}
		header := &tar.Header{Name: f.Path, Mode: f.Mode, Uid: f.UID, Gid: f.UID, Size: int64(len(f.Content)), Linkname: f.Link, Typeflag: tar.TypeReg}
		if f.Mode == 0 {
			header.Mode = 0o755
		}
		switch {
		case f.Type != 0:
			header.Typeflag, header.Devmajor, header.Devminor = f.Type, 1, 3 // a device is /dev/null
		case f.Link != "":
			header.Typeflag = tar.TypeSymlink
		case strings.HasSuffix(f.Path, "/"):
			header.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(header); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, f.Content); err != nil {
			return nil, err
		}
	}
	return archive.Bytes(), w.Close()
}

// packFolder adds a folder to an archive, after those that it is in.
func packFolder(w *tar.Writer, path string, made map[string]bool) error {
	if made[path] {
		return nil
	}
	made[path] = true
	if err := packFolder(w, filepath.Dir(path), made); err != nil {
		return err
	}
	return w.WriteHeader(&tar.Header{Name: path + "/", Mode: 0o755, Typeflag: tar.TypeDir})
}

// BusyboxFiles returns files that make an image with a shell and small tools, and with the
// users root and app, whose ids are 0 and 1000. They come from the package busybox-static of
// Debian.
func BusyboxFiles() ([]ImageFile, error) {
	const busybox = "/bin/busybox"
	content, err := os.ReadFile(busybox)
	if err != nil {
		return nil, err
	}
	list, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return nil, err
	}
	files := []ImageFile{
		{Path: "bin/busybox", Content: string(content)},
		{Path: "etc/passwd", Mode: 0o644, Content: "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/tmp:/bin/sh\n"},
		{Path: "etc/group", Mode: 0o644, Content: "root:x:0:\napp:x:1000:\n"},
		{Path: "root/", Mode: 0o700},
		{Path: "tmp/", Mode: 0o1777},
		{Path: "usr/bin/env", Link: "../../bin/env"},
	}
	for tool := range strings.FieldsSeq(string(list)) {
		if tool != "busybox" {
			files = append(files, ImageFile{Path: "bin/" + tool, Link: "busybox"})
		}
	}
	return files, nil
}

// NewIndex returns an index of images by their platforms, such as linux/arm64.
func NewIndex(images map[string]v1.Image) (v1.ImageIndex, error) {
	index := v1.ImageIndex(empty.Index)
	for _, platform := range slices.Sorted(maps.Keys(images)) {
		p, err := v1.ParsePlatform(platform)
		if err != nil {
			return nil, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: images[platform], Descriptor: v1.Descriptor{Platform: p}})
	}
	return index, nil
}

// HostFiles returns programs of this host with the libraries that they need, as files of an
// image.
func HostFiles(programs ...string) ([]ImageFile, error) {
	var files []ImageFile
	seen := map[string]bool{}
	for _, program := range programs {
		out, err := exec.Command("ldd", program).Output()
		if err != nil {
			return nil, err
		}
		for _, path := range append(strings.Fields(string(out)), program) {
			if !filepath.IsAbs(path) || seen[path] {
				continue
			}
			seen[path] = true
			content, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			files = append(files, ImageFile{Path: path[1:], Content: string(content)})
		}
	}
	return files, nil
}
