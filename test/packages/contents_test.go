package packages_test

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"rolecall/test/kit"
)

// output runs a command of this host, which must succeed, and returns what it prints.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// modes returns the kind and mode of each path of a package, which dpkg lists.
func modes(t *testing.T, deb string) map[string]string {
	t.Helper()
	paths := map[string]string{}
	for line := range strings.Lines(output(t, "dpkg-deb", "--contents", deb)) {
		fields := strings.Fields(line)
		path, link, _ := strings.Cut(strings.Join(fields[5:], " "), " -> ")
		if fields[1] != "root/root" {
			t.Errorf("%s: %s belongs to %s", filepath.Base(deb), path, fields[1])
		}
		paths[strings.TrimSuffix(strings.TrimPrefix(path, "."), "/")] = fields[0] + link
	}
	return paths
}

// TestInstall: make install writes the files of both packages, with the same modes.
func TestInstall(t *testing.T) {
	t.Parallel()
	dir := dist(t, distVariable)
	root := t.TempDir()
	output(t, "make", "-C", "../..", "-s", "install", "DESTDIR="+root)
	want, got := modes(t, one(t, dir, driverDeb)), map[string]string{}
	for path, mode := range modes(t, one(t, dir, brokerDeb)) {
		want[path] = mode
	}
	kit.Must(t, filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil || path == root {
			return err
		}
		mode, link := strings.Replace(info.Mode().String(), "L", "l", 1), ""
		if mode[0] == 'l' {
			link, err = os.Readlink(path)
		}
		got[strings.TrimPrefix(path, root)] = mode + link
		return err
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("make install (+) and the packages (-):\n%s", diff)
	}
}

// TestSigned: the folder is as it was signed, and says that the key of tests has signed it.
func TestSigned(t *testing.T) {
	t.Parallel()
	dir := dist(t, distVariable)
	if out := output(t, "make", "-C", "../..", "-s", "verify", "DIR="+dir, "TEST_KEY=1"); !strings.Contains(out, "as the key E752 ") || !strings.Contains(out, "the key of TESTS") {
		t.Errorf("%s", out)
	}
	if out, err := exec.CommandContext(t.Context(), "make", "-C", "../..", "-s", "verify", "DIR="+dir).CombinedOutput(); err == nil {
		t.Errorf("a build of the key of tests is a release:\n%s", out)
	}
	text, err := os.ReadFile(filepath.Join(dir, "SIGNED-BY-A-TEST-KEY.txt"))
	if err != nil || !strings.Contains(string(text), "They are no release") {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestArchive: the archive of an architecture has the programs, and no folder that others have.
func TestArchive(t *testing.T) {
	t.Parallel()
	dir := dist(t, distVariable)
	for _, arch := range []string{"amd64", "arm64"} {
		f, err := os.Open(one(t, dir, "rolecall-*-linux-"+arch+".tar.gz"))
		kit.Must(t, err)
		defer f.Close()
		packed, err := gzip.NewReader(f)
		kit.Must(t, err)
		var folders, programs []string
		for r := tar.NewReader(packed); ; {
			header, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			kit.Must(t, err)
			_, path, _ := strings.Cut(header.Name, "/")
			if header.Typeflag == tar.TypeDir {
				folders = append(folders, path)
			}
			if header.Uid != 0 || header.Gid != 0 || header.Mode&0o022 != 0 && header.Typeflag != tar.TypeSymlink {
				t.Errorf("%s: %+v", path, header)
			}
			if name, is := strings.CutPrefix(path, "usr/libexec/rolecall/"); is && name != "" {
				programs = append(programs, name)
			}
		}
		if others := slices.DeleteFunc(folders, func(path string) bool { return strings.Contains(path, "rolecall") }); len(others) > 0 {
			t.Errorf("%s has folders of others: %q", arch, others)
		}
		if len(programs) != 14 {
			t.Errorf("%s has the programs %q", arch, programs)
		}
	}
}

// TestParts: the list of what is linked has what stages link, and nothing of tests.
func TestParts(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(one(t, dist(t, distVariable), "rolecall-*.cdx.json"))
	kit.Must(t, err)
	var list struct {
		BOMFormat  string
		Components []struct {
			Type, Name, Version, Purl string
		}
		Dependencies []struct {
			Ref       string
			DependsOn []string
		}
	}
	kit.Must(t, json.Unmarshal(content, &list))
	names := map[string]string{}
	for _, c := range list.Components {
		names[c.Name] = c.Type
	}
	for name, want := range map[string]string{
		"prepare": "application", "rolecall-broker": "application", "std": "library", "github.com/aws/aws-sdk-go-v2/service/sts": "library",
		"mvdan.cc/sh/v3": "", "github.com/yuin/goldmark": "", "github.com/aws/aws-sdk-go-v2/service/s3": "library",
	} {
		if names[name] != want {
			t.Errorf("%s is %q, want %q", name, names[name], want)
		}
	}
	for _, d := range list.Dependencies {
		if d.Ref == "program:credential" && len(d.DependsOn) > 2 {
			t.Errorf("credential links %q", d.DependsOn)
		}
	}
	if list.BOMFormat != "CycloneDX" || len(list.Dependencies) != 14 {
		t.Errorf("%s with %d dependencies", list.BOMFormat, len(list.Dependencies))
	}
}

// TestImage: the image has an entry for each architecture, and starts the broker as nobody's user.
func TestImage(t *testing.T) {
	t.Parallel()
	archive := one(t, dist(t, distVariable), "rolecall-broker-*.oci.tar")
	dir := t.TempDir()
	output(t, "tar", "-C", dir, "-xf", archive)
	top, err := layout.ImageIndexFromPath(dir)
	kit.Must(t, err)
	manifest, err := top.IndexManifest()
	kit.Must(t, err)
	if name := manifest.Manifests[0].Annotations["org.opencontainers.image.ref.name"]; !strings.HasPrefix(name, "rolecall-broker:") || strings.Contains(name, "~") {
		t.Errorf("podman calls the image %q", name)
	}
	index, err := top.ImageIndex(manifest.Manifests[0].Digest)
	kit.Must(t, err)
	platforms, err := index.IndexManifest()
	kit.Must(t, err)
	var arches []string
	for _, m := range platforms.Manifests {
		image, err := index.Image(m.Digest)
		kit.Must(t, err)
		config, err := image.ConfigFile()
		kit.Must(t, err)
		arches = append(arches, m.Platform.Architecture)
		if c := config.Config; c.User != "65532:65532" || fmt.Sprint(c.Entrypoint) != "[/usr/libexec/rolecall/rolecall-broker]" || config.Architecture != m.Platform.Architecture {
			t.Errorf("%+v", config)
		}
	}
	if !slices.Equal(arches, []string{"amd64", "arm64"}) {
		t.Errorf("the image is for %q", arches)
	}
}
