package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"mime"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"rolecall/internal/fault"
)

// document is what an index and a manifest have.
type document struct {
	MediaType types.MediaType `json:"mediaType"`
	Manifests []v1.Descriptor `json:"manifests"` // of an index
	Config    *v1.Descriptor  `json:"config"`    // of a manifest, and what follows
	Layers    []v1.Descriptor `json:"layers"`
}

// unfit returns the error that an image cannot be run.
func unfit(what error, next string) *fault.Error { return fault.New(fault.UnfitImage, what, next) }

// errBroken is an image that contradicts itself, or is not JSON.
func errBroken(part string) *fault.Error {
	return unfit(fmt.Errorf("the %s of the image is broken", part), "build the image anew, and push it")
}

// parse reads what a registry has sent for a name or digest. Its media type is that of
// the answer. A document that could be read as an index and as a manifest is refused: who
// pulls it might read the other one.
//
// https://github.com/opencontainers/distribution-spec/security/advisories/GHSA-mc8v-mgrf-8f4m
func parse(d *remote.Descriptor) (document, error) {
	var doc document
	is := mediaType(d)
	switch {
	case is.IsSchema1():
		return doc, unfit(fmt.Errorf("the image has an old format that no engine runs any more: %s", is),
			"build the image anew with a current docker, podman or buildah, and push it")
	case !is.IsIndex() && !is.IsImage():
		return doc, unfit(fmt.Errorf("what the name stands for is no image: its type is %q", clip(string(is))), "write the name of an image")
	}
	if err := json.Unmarshal(d.Manifest, &doc); err != nil {
		return doc, errBroken("manifest")
	}
	both := doc.Manifests != nil && (doc.Config != nil || doc.Layers != nil)
	if both || doc.MediaType != "" && doc.MediaType != is || is.IsImage() && (doc.Config == nil || doc.Config.Digest.Hex == "") {
		return doc, errBroken("manifest")
	}
	return doc, nil
}

// mediaType returns the media type of an answer, without parameters such as a charset.
func mediaType(d *remote.Descriptor) types.MediaType {
	if is, _, err := mime.ParseMediaType(string(d.MediaType)); err == nil {
		return types.MediaType(is)
	}
	return d.MediaType
}

// choose returns the manifest for the platform: that which the name stands for, or one of
// the index.
func (q query) choose(ctx context.Context, puller *remote.Puller, named *remote.Descriptor) (*remote.Descriptor, error) {
	doc, err := parse(named)
	if err != nil || mediaType(named).IsImage() {
		return named, err
	}
	at := q.find(doc.Manifests)
	if at < 0 {
		return nil, q.otherPlatform(doc.Manifests)
	}
	digest := doc.Manifests[at].Digest
	if digest.Hex == "" {
		return nil, errBroken("index")
	}
	chosen, err := puller.Get(ctx, q.reference.Context().Digest(digest.String()))
	if err == nil && mediaType(chosen).IsIndex() {
		return nil, unfit(errors.New("the image is an index of indexes"), "write the digest of one of them")
	}
	return chosen, err
}

// find returns where an index has the manifest for the platform, else one that is for no
// certain platform, as podman does. It returns -1 if there is none.
func (q query) find(has []v1.Descriptor) int {
	at := slices.IndexFunc(has, func(d v1.Descriptor) bool { return d.Platform != nil && fits(*d.Platform, q.platform) })
	if at < 0 {
		at = slices.IndexFunc(has, func(d v1.Descriptor) bool { return d.Platform == nil && d.MediaType.IsImage() })
	}
	return at
}

// otherPlatform returns the error that an index has no manifest for the platform.
func (q query) otherPlatform(has []v1.Descriptor) error {
	var platforms []string
	for _, d := range has {
		if d.Platform != nil && d.Platform.OS != "unknown" { // what is no image, such as a signature
			platforms = append(platforms, clip(d.Platform.String()))
		}
	}
	slices.Sort(platforms)
	return q.wrongPlatform(slices.Compact(platforms))
}

// wrongPlatform returns the error that an image is for these platforms only.
func (q query) wrongPlatform(platforms []string) error {
	const most = 20
	return unfit(fmt.Errorf("the image is not for the platform %s", q.platform), "choose another image, or one of its platforms and a runner of that platform").
		With("is for", strings.Join(platforms[:min(len(platforms), most)], ", "))
}

// config is what is read of the configuration of an image.
//
// https://github.com/opencontainers/image-spec/blob/main/config.md
type config struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
	Config       struct {
		User         string
		Entrypoint   []string
		Cmd          []string
		ExposedPorts map[string]struct{}
		Volumes      map[string]struct{}
		Env          []string
	} `json:"config"`
}

// read returns what the manifest and the configuration of an image say.
func (q query) read(d *remote.Descriptor) (Resolved, error) {
	doc, err := parse(d)
	if err != nil {
		return Resolved{}, err
	}
	if !doc.Config.MediaType.IsConfig() {
		return Resolved{}, unfit(fmt.Errorf("what the name stands for is no image: its configuration has the type %q", clip(string(doc.Config.MediaType))), "write the name of an image")
	}
	size, ok := sum(doc.Layers)
	if !ok {
		return Resolved{}, errBroken("manifest")
	}
	if slices.ContainsFunc(doc.Layers, isElsewhere) {
		return Resolved{}, unfit(errors.New("a layer of the image is not in its registry, but on another server"),
			"push the image with all its layers, such as by skopeo copy, or build it on another base image")
	}
	image, err := d.Image()
	if err != nil {
		return Resolved{}, err
	}
	raw, err := image.RawConfigFile()
	if err != nil {
		return Resolved{}, err
	}
	var c config
	if json.Unmarshal(raw, &c) != nil {
		return Resolved{}, errBroken("configuration")
	}
	if n := len(c.Config.Env); n > maxVariables {
		return Resolved{}, unfit(fmt.Errorf("the image sets %d variables", n), fmt.Sprintf("build it with no more than %d variables (ENV)", maxVariables))
	}
	resolved := c.resolved()
	resolved.Manifest, resolved.Size = d.Digest.String(), size
	return resolved, q.suits(c)
}

// maxVariables bounds how many variables an image may set. podman needs a time that grows with
// the square of their number: half a minute for 100,000.
const maxVariables = 10_000

// isElsewhere reports whether a layer is, or may be, on another server, whose address the
// manifest has. Podman would ask that server, and the policy allows registries.
//
// https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md (urls)
func isElsewhere(layer v1.Descriptor) bool {
	return len(layer.URLs) > 0 || layer.MediaType.IsLayer() && !layer.MediaType.IsDistributable()
}

// suits returns an error if an image says that it is for another platform than the caller
// has named. An image that is not one of an index may run all the same if the caller has
// named none, as with docker.
func (q query) suits(c config) error {
	is := v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}
	if !q.chosen || c.OS == "" || c.Architecture == "" || fits(is, q.platform) {
		return nil
	}
	return q.wrongPlatform([]string{clip(is.String())})
}

// resolved returns what the configuration says.
func (c config) resolved() Resolved {
	r := Resolved{Config: Config{
		User:         c.Config.User,
		Entrypoint:   c.Config.Entrypoint,
		Command:      c.Config.Cmd,
		ExposedPorts: slices.Sorted(maps.Keys(c.Config.ExposedPorts)),
		Volumes:      slices.Sorted(maps.Keys(c.Config.Volumes)),
	}}
	if c.OS != "" && c.Architecture != "" {
		r.Platform = v1.Platform{OS: c.OS, Architecture: c.Architecture, Variant: c.Variant}.String()
	}
	for _, variable := range c.Config.Env {
		name, _, _ := strings.Cut(variable, "=")
		r.Config.Env = append(r.Config.Env, name)
	}
	return r
}

// sum returns the size of all layers. It reports false if a manifest has sizes that no
// layers can have.
func sum(layers []v1.Descriptor) (total int64, ok bool) {
	for _, layer := range layers {
		if layer.Size < 0 || total > math.MaxInt64-layer.Size {
			return 0, false
		}
		total += layer.Size
	}
	return total, true
}

// clip bounds a text of a registry that is printed.
func clip(text string) string {
	const most = 80
	return text[:min(len(text), most)]
}
