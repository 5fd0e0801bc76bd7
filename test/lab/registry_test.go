package lab_test

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"rolecall/test/kit"
	"rolecall/test/lab"
)

func startRegistry(t *testing.T, open bool) *lab.Registry {
	t.Helper()
	kit.NeedProgram(t, lab.RegistryProgram, lab.RegistryPackage)
	r, err := lab.StartRegistry(t.Context(), lab.RegistryOptions{Dir: t.TempDir(), Open: open})
	kit.Must(t, err)
	t.Cleanup(r.Close)
	return r
}

// TestRegistry: who has no login gets nothing, and who has gets what was pushed.
func TestRegistry(t *testing.T) {
	r := startRegistry(t, false)
	image, err := lab.NewImage(v1.Config{User: "1000"}, lab.ImageFile{Path: "etc/a/b", Content: "text", Mode: 0o640, UID: 7}, lab.ImageFile{Path: "etc/c", Link: "a/b"})
	kit.Must(t, err)
	digest, err := r.Push(t.Context(), "team/tool:1", image)
	kit.Must(t, err)
	ref, err := name.ParseReference(r.Name("team/tool:1"))
	kit.Must(t, err)
	_, err = remote.Image(ref)
	var refusal *transport.Error
	if !errors.As(err, &refusal) || refusal.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a login: %v", err)
	}
	got, err := remote.Image(ref, remote.WithAuth(authn.FromConfig(authn.AuthConfig{Username: lab.RegistryUser, Password: lab.RegistryPassword})))
	kit.Must(t, err)
	if is, err := got.Digest(); err != nil || is.String() != digest {
		t.Errorf("%s, %v, want %s", is, err, digest)
	}
	kit.Must(t, validate.Image(got))
	file, err := got.ConfigFile()
	if err != nil || file.Config.User != "1000" || file.OS != "linux" || file.Architecture != runtime.GOARCH {
		t.Errorf("%+v, %v", file, err)
	}
	want := []string{"etc/ 755 0 ", "etc/a/ 755 0 ", "etc/a/b 640 7 text", "etc/c 755 0 -> a/b"}
	if diff := cmp.Diff(want, unpack(t, got)); diff != "" {
		t.Error(diff)
	}
}

// unpack returns what an image has: path, mode, owner and content.
func unpack(t *testing.T, image v1.Image) (files []string) {
	t.Helper()
	layers, err := image.Layers()
	kit.Must(t, err)
	for _, layer := range layers {
		content, err := layer.Uncompressed()
		kit.Must(t, err)
		for archive := tar.NewReader(content); ; {
			header, err := archive.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			kit.Must(t, err)
			text, err := io.ReadAll(archive)
			kit.Must(t, err)
			if header.Linkname != "" {
				text = []byte("-> " + header.Linkname)
			}
			files = append(files, fmt.Sprintf("%s %o %d %s", header.Name, header.Mode, header.Uid, text))
		}
	}
	return files
}

// TestIndex: an index has an image for each platform.
func TestIndex(t *testing.T) {
	r := startRegistry(t, true)
	files, err := lab.BusyboxFiles()
	kit.Must(t, err)
	image, err := lab.NewImage(v1.Config{}, files...)
	kit.Must(t, err)
	other, err := lab.NewImage(v1.Config{User: "other"})
	kit.Must(t, err)
	index, err := lab.NewIndex(map[string]v1.Image{"linux/amd64": image, "linux/arm/v7": other})
	kit.Must(t, err)
	digest, err := r.Push(t.Context(), "tool:1", index)
	kit.Must(t, err)
	ref, err := name.ParseReference(r.Name("tool@" + digest))
	kit.Must(t, err)
	for _, p := range []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm", Variant: "v7"}} {
		got, err := remote.Image(ref, remote.WithPlatform(p))
		kit.Must(t, err)
		file, err := got.ConfigFile()
		if err != nil || (file.Config.User == "other") != (p.Architecture == "arm") {
			t.Errorf("%s: %+v, %v", p, file, err)
		}
	}
}
