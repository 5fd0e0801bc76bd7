package registry_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"rolecall/internal/fault"
	"rolecall/internal/registry"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// newImage returns a random image for a platform, with some configuration.
func newImage(t *testing.T, os, architecture, variant string) v1.Image {
	t.Helper()
	image, err := random.Image(1000, 2)
	kit.Must(t, err)
	file, err := image.ConfigFile()
	kit.Must(t, err)
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Variant = os, architecture, variant
	file.Config = v1.Config{
		User: "1000:100", Entrypoint: []string{"/usr/bin/tool", "--now"}, Cmd: []string{"help"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}, "53/udp": {}}, Volumes: map[string]struct{}{"/data": {}, "/a": {}},
		Env: []string{"PATH=/bin:/usr/bin", "EMPTY=", "BARE"},
	}
	image, err = mutate.ConfigFile(image, file)
	kit.Must(t, err)
	return image
}

// push pushes an image or an index.
func push(t *testing.T, r *lab.Registry, image string, what remote.Taggable) string {
	t.Helper()
	digest, err := r.Push(t.Context(), image, what)
	kit.Must(t, err)
	return digest
}

// sizeOf returns the size of the layers of an image.
func sizeOf(t *testing.T, image v1.Image) (size int64) {
	t.Helper()
	manifest, err := image.Manifest()
	kit.Must(t, err)
	for _, layer := range manifest.Layers {
		size += layer.Size
	}
	return size
}

// config is what newImage's images say.
func config() registry.Config {
	return registry.Config{
		User: "1000:100", Entrypoint: []string{"/usr/bin/tool", "--now"}, Command: []string{"help"},
		ExposedPorts: []string{"53/udp", "8080/tcp"}, Volumes: []string{"/a", "/data"}, Env: []string{"PATH", "EMPTY", "BARE"},
	}
}

// TestResolve: an image by its tag, by its digest, and by both.
func TestResolve(t *testing.T) {
	t.Parallel()
	r := start(t, lab.RegistryOptions{})
	image := newImage(t, "linux", "amd64", "")
	digest := push(t, r, "team/tool:1", image)
	push(t, r, "team/tool:latest", image)
	push(t, r, "team/tool:moved", newImage(t, "linux", "amd64", ""))
	want := registry.Resolved{Digest: digest, Manifest: digest, Platform: "linux/amd64", Size: sizeOf(t, image), Config: config()}
	for _, name := range []string{"team/tool:1", "team/tool", "team/tool@" + digest, "team/tool:moved@" + digest} {
		got, err := newClient().Resolve(t.Context(), r.Name(name), "", good())
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
}

// TestMoved: the digest is that of now, and a digest stays.
func TestMoved(t *testing.T) {
	t.Parallel()
	r := start(t, lab.RegistryOptions{Open: true})
	first := push(t, r, "tool:1", newImage(t, "linux", "amd64", ""))
	second := push(t, r, "tool:1", newImage(t, "linux", "amd64", ""))
	for image, want := range map[string]string{"tool:1": second, "tool@" + first: first} {
		got, err := newClient().Resolve(t.Context(), r.Name(image), "", nil)
		if err != nil || got.Digest != want || first == second {
			t.Errorf("%s: %s, %v, want %s", image, got.Digest, err, want)
		}
	}
}

// TestIndex: of an index the image for the platform is chosen.
func TestIndex(t *testing.T) {
	t.Parallel()
	r := start(t, lab.RegistryOptions{Open: true})
	images := map[string]v1.Image{
		"linux/amd64": newImage(t, "linux", "amd64", ""), "linux/arm64": newImage(t, "linux", "arm64", ""),
		"linux/arm/v6": newImage(t, "linux", "arm", "v6"), "linux/arm/v7": newImage(t, "linux", "arm", "v7"),
		"unknown/unknown": newImage(t, "", "", ""),
	}
	index, err := lab.NewIndex(images)
	kit.Must(t, err)
	digest := push(t, r, "tool:1", index)
	for asked, platform := range map[string]string{
		"linux/amd64": "linux/amd64", "linux/arm64/v8": "linux/arm64", "linux/arm64": "linux/arm64", "linux/arm/v7": "linux/arm/v7", "linux/arm": "linux/arm/v6",
	} {
		got, err := newClient().Resolve(t.Context(), r.Name("tool:1"), asked, nil)
		chosen, _ := images[platform].Digest()
		if err != nil || got.Digest != digest || got.Manifest != chosen.String() || got.Platform != platform {
			t.Errorf("%s: %+v, %v, want %s of %s", asked, got, err, chosen, digest)
		}
	}
	for _, asked := range []string{"linux/s390x", "windows/amd64", "linux/arm/v5", "linux/arm64/v9", "linux/amd64/v3"} {
		_, err := newClient().Resolve(t.Context(), r.Name("tool:1"), asked, nil)
		wanted{fault.UnfitImage, "not for the platform " + asked, map[string]string{
			"is for": "linux/amd64, linux/arm/v6, linux/arm/v7, linux/arm64", "login": "none", "tries": "",
		}}.check(t, err)
	}
}

// TestPlatformOfOne: an image that is not one of an index is refused if it is for another
// platform than the job has named.
func TestPlatformOfOne(t *testing.T) {
	t.Parallel()
	r := start(t, lab.RegistryOptions{Open: true})
	push(t, r, "tool:1", newImage(t, "linux", "s390x", ""))
	got, err := newClient().Resolve(t.Context(), r.Name("tool:1"), "", nil)
	if err != nil || got.Platform != "linux/s390x" {
		t.Errorf("without a platform: %+v, %v", got, err)
	}
	_, err = newClient().Resolve(t.Context(), r.Name("tool:1"), "linux/amd64", nil)
	wanted{fault.UnfitImage, "not for the platform linux/amd64", map[string]string{"is for": "linux/s390x"}}.check(t, err)
}

// TestRefused: what a real registry refuses.
func TestRefused(t *testing.T) {
	t.Parallel()
	r := start(t, lab.RegistryOptions{})
	push(t, r, "team/tool:1", newImage(t, "linux", "amd64", ""))
	unknown := "team/tool@sha256:" + strings.Repeat("0", 64)
	for name, test := range map[string]struct {
		image string
		login *registry.Login
		next  string
		wanted
	}{
		"no login":    {"team/tool:1", nil, "give the job a login by the variable DOCKER_AUTH_CONFIG", wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"login": "none", "answer": "HTTP status 401 UNAUTHORIZED"}}},
		"wrong login": {"team/tool:1", login("SECRET"), "that the login of DOCKER_AUTH_CONFIG may pull it", wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"login": "DOCKER_AUTH_CONFIG", "answer": "HTTP status 401 UNAUTHORIZED"}}},
		"no tag":      {"team/tool:2", good(), "correct the name, tag or digest", wanted{fault.NoImage, "does not have the image", map[string]string{"login": "DOCKER_AUTH_CONFIG", "answer": "HTTP status 404 MANIFEST_UNKNOWN"}}},
		"no project":  {"team/other:1", good(), "correct the name, tag or digest", wanted{fault.NoImage, "does not have the image", map[string]string{"answer": "HTTP status 404 MANIFEST_UNKNOWN"}}},
		"no digest":   {unknown, good(), "correct the name, tag or digest", wanted{fault.NoImage, "does not have the image", map[string]string{"answer": "HTTP status 404 MANIFEST_UNKNOWN"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient().Resolve(t.Context(), r.Name(test.image), "", test.login)
			test.check(t, err)
			if !strings.Contains(err.Error(), test.next) {
				t.Errorf("the next step of %v is not %q", err, test.next)
			}
			if row(err, "image") != r.Name(test.image) || row(err, "registry") != r.Address || row(err, "tries") != "" || !strings.HasPrefix(row(err, "request"), "GET http://"+r.Address+"/v2/team/") {
				t.Errorf("rows %v", fault.Rows(err))
			}
		})
	}
}

// TestNoAmbientLogin: logins of the user who runs the driver are not used, in whatever
// place docker and podman keep them.
func TestNoAmbientLogin(t *testing.T) {
	r := start(t, lab.RegistryOptions{})
	push(t, r, "team/tool:1", newImage(t, "linux", "amd64", ""))
	home := t.TempDir()
	const both = "Y2k6YSBwYXNzd29yZCBvZiB0aGUgbGFi" // ci:a password of the lab
	content := []byte(`{"auths":{"` + r.Address + `":{"auth":"` + both + `"}}}`)
	for _, path := range []string{".docker/config.json", "containers/auth.json", ".config/containers/auth.json"} {
		path = filepath.Join(home, path)
		kit.Must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		kit.Must(t, os.WriteFile(path, content, 0o600))
	}
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", filepath.Join(home, ".docker"))
	t.Setenv("DOCKER_AUTH_CONFIG", string(content))
	t.Setenv("REGISTRY_AUTH_FILE", filepath.Join(home, ".docker/config.json"))
	t.Setenv("XDG_RUNTIME_DIR", home)
	ref, err := name.ParseReference(r.Name("team/tool:1"))
	kit.Must(t, err)
	if _, err = remote.Head(ref, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		t.Errorf("who looks there finds no login: %v", err)
	}
	_, err = newClient().Resolve(t.Context(), r.Name("team/tool:1"), "", nil)
	wanted{fault.ImageDenied, "does not give this job the image", map[string]string{"login": "none"}}.check(t, err)
}

// TestNames: what is no name of an image is refused, and nobody is asked.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "a b", "127.0.0.1:1/UPPER", "--privileged", "-v/:/x", "http://127.0.0.1:1/x", "127.0.0.1:1/x@sha256:12", "127.0.0.1:1/x:"} {
		_, err := newClient().Resolve(t.Context(), name, "", nil)
		if fault.CodeOf(err) != fault.NoImage || !strings.Contains(err.Error(), "is not the name of an image") {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, platform := range []string{"linux", "linux/", "/amd64", "linux/arm/v7/x"} {
		_, err := newClient().Resolve(t.Context(), "127.0.0.1:1/x", platform, nil)
		if fault.CodeOf(err) != fault.UnfitImage || !strings.Contains(err.Error(), "is not a platform") {
			t.Errorf("%q: %v", platform, err)
		}
	}
}

// TestHub: names of Docker Hub mean its registry.
func TestHub(t *testing.T) {
	t.Parallel()
	client := newClient()
	client.Attempt, client.Tries = 1, 1 // no time for an answer
	_, err := client.Resolve(t.Context(), "docker.io/library/alpine:3", "", nil)
	wanted{fault.NoRegistry, "the registry index.docker.io does not answer", map[string]string{"tries": "1"}}.check(t, err)
	if labels := []string{"image", "registry", "login", "tries"}; !slices.Equal(labelsOf(err), labels) {
		t.Errorf("rows %v, want %v", fault.Rows(err), labels)
	}
}

// labelsOf returns the labels of an error's rows.
func labelsOf(err error) (labels []string) {
	for _, r := range fault.Rows(err) {
		labels = append(labels, r.Label)
	}
	return labels
}
