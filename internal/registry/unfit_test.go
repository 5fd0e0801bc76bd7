package registry_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"rolecall/internal/fault"
	"rolecall/test/lab"
)

// TestNoImage: a registry also keeps what is no image.
func TestNoImage(t *testing.T) {
	t.Parallel()
	r := start(t, lab.RegistryOptions{Open: true})
	chart := mutate.ConfigMediaType(mutate.MediaType(newImage(t, "linux", "amd64", ""), types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json")
	inner := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: newImage(t, "linux", "amd64", "")})
	nested := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: inner, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}})
	push(t, r, "tool:inner", inner) // the registry wants to have what an index names
	if got, err := newClient().Resolve(t.Context(), r.Name("tool:inner"), "linux/amd64", nil); err != nil || got.Digest == got.Manifest || got.Platform != "linux/amd64" {
		t.Errorf("an index without platforms: %+v, %v", got, err)
	}
	_, err := newClient().Resolve(t.Context(), r.Name("tool:inner"), "linux/arm64", nil)
	wanted{fault.UnfitImage, "is not for the platform linux/arm64", map[string]string{"is for": "linux/amd64"}}.check(t, err)
	for name, test := range map[string]struct {
		what remote.Taggable
		want string
	}{
		"a chart":             {chart, `its configuration has the type "application/vnd.cncf.helm.config.v1+json"`},
		"an index of indexes": {nested, "is an index of indexes"},
		"an empty index":      {empty.Index, "is not for the platform linux/amd64"},
	} {
		image := "tool:" + strings.ReplaceAll(name, " ", "-")
		push(t, r, image, test.what)
		_, err := newClient().Resolve(t.Context(), r.Name(image), "linux/amd64", nil)
		wanted{fault.UnfitImage, test.want, map[string]string{"tries": ""}}.check(t, err)
	}
}

// Types of documents.
const (
	ociIndex    = "application/vnd.oci.image.index.v1+json"
	ociManifest = "application/vnd.oci.image.manifest.v1+json"
	ociConfig   = "application/vnd.oci.image.config.v1+json"
)

// maxVariables is how many variables an image may set.
const maxVariables = 10_000

// variables returns a configuration with so many variables.
func variables(n int) string {
	return `{"os":"linux","architecture":"amd64","config":{"User":"x","Env":["A=b"` + strings.Repeat(`,"A=b"`, n-1) + `]}}`
}

// TestBroken: documents that contradict themselves, or that no engine can use well, are
// refused.
func TestBroken(t *testing.T) {
	t.Parallel()
	of := func(config string) string {
		return fmt.Sprintf(`"config":{"mediaType":%q,"size":%d,"digest":"sha256:%x"}`, ociConfig, len(config), sha256.Sum256([]byte(config)))
	}
	const fine = `{"os":"linux","architecture":"amd64","config":{"User":"x"}}`
	layers := func(sizes ...int64) string {
		var all []string
		for _, size := range sizes {
			all = append(all, fmt.Sprintf(`{"mediaType":"x","size":%d,"digest":"sha256:%x"}`, size, sha256.Sum256(nil)))
		}
		return `"layers":[` + strings.Join(all, ",") + `]`
	}
	for name, test := range map[string]struct{ is, manifest, config, want string }{
		"control":                {ociManifest, "{" + of(fine) + "," + layers(1, 2) + "}", fine, ""},
		"with parameters":        {ociManifest + "; charset=utf-8", "{" + of(fine) + "}", fine, ""},
		"says its type":          {ociManifest, `{"mediaType":"` + ociManifest + `",` + of(fine) + "}", fine, ""},
		"says another type":      {ociManifest, `{"mediaType":"` + ociIndex + `",` + of(fine) + "}", fine, "the manifest of the image is broken"},
		"index and manifest":     {ociManifest, `{"manifests":[],` + of(fine) + "}", fine, "the manifest of the image is broken"},
		"manifest and index":     {ociIndex, `{"manifests":[],"layers":[]}`, fine, "the manifest of the image is broken"},
		"no JSON":                {ociManifest, `{"SECRET`, fine, "the manifest of the image is broken"},
		"more than JSON":         {ociManifest, "{" + of(fine) + "} {}", fine, "the manifest of the image is broken"},
		"no configuration":       {ociManifest, `{"layers":[]}`, fine, "the manifest of the image is broken"},
		"no digest":              {ociManifest, `{"config":{"mediaType":"` + ociConfig + `"}}`, fine, "the manifest of the image is broken"},
		"no digest in an index":  {ociIndex, `{"manifests":[{"platform":{"os":"linux","architecture":"amd64"}}]}`, fine, "the index of the image is broken"},
		"an index no JSON":       {ociIndex, `{"SECRET`, fine, "the manifest of the image is broken"},
		"an index of others":     {ociIndex, `{"manifests":[{"mediaType":"x","digest":"sha256:` + strings.Repeat("0", 64) + `"}]}`, fine, "is not for the platform linux/amd64"},
		"a layer elsewhere":      {ociManifest, "{" + of(fine) + `,"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","urls":["https://example.com/x"],"digest":"sha256:` + strings.Repeat("0", 64) + `"}]}`, fine, "is not in its registry"},
		"an OCI layer elsewhere": {ociManifest, "{" + of(fine) + `,"layers":[{"mediaType":"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip","digest":"sha256:` + strings.Repeat("0", 64) + `"}]}`, fine, "is not in its registry"},
		"a foreign layer":        {ociManifest, "{" + of(fine) + `,"layers":[{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"sha256:` + strings.Repeat("0", 64) + `"}]}`, fine, "is not in its registry"},
		"many variables":         {ociManifest, "{" + of(variables(maxVariables)) + "}", variables(maxVariables), ""},
		"too many variables":     {ociManifest, "{" + of(variables(maxVariables+1)) + "}", variables(maxVariables + 1), "the image sets 10001 variables"},
		"less than nothing":      {ociManifest, "{" + of(fine) + "," + layers(-1, 2) + "}", fine, "the manifest of the image is broken"},
		"more than all":          {ociManifest, "{" + of(fine) + "," + layers(1<<62, 1<<62) + "}", fine, "the manifest of the image is broken"},
		"configuration no JSON":  {ociManifest, "{" + of("[1]") + "}", "[1]", "the configuration of the image is broken"},
		"no image configuration": {ociManifest, `{"config":{"mediaType":"a b` + strings.Repeat("c", 200) + `","digest":"sha256:` + strings.Repeat("0", 64) + `"}}`, fine, `type "a b` + strings.Repeat("c", 77) + `"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case strings.Contains(r.URL.Path, manifests):
					w.Header().Set("Content-Type", test.is)
					_, _ = fmt.Fprint(w, test.manifest)
				case strings.Contains(r.URL.Path, blobs):
					_, _ = fmt.Fprint(w, test.config)
				}
			}))
			t.Cleanup(server.Close)
			got, err := newClient().Resolve(t.Context(), server.Listener.Addr().String()+"/tool:1", "linux/amd64", nil)
			if test.want != "" {
				wanted{fault.UnfitImage, test.want, map[string]string{"tries": ""}}.check(t, err)
			} else if err != nil || got.Config.User != "x" || got.Digest != fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(test.manifest))) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}
