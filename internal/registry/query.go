package registry

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/internal/fault"
)

// query is what a registry is asked.
type query struct {
	name      string // as the caller has it
	reference name.Reference
	platform  v1.Platform
	chosen    bool // whether the caller has named the platform
	login     *Login
}

// newQuery reads the name of an image and a platform.
func newQuery(image, platform string, login *Login) (query, error) {
	q := query{name: image, login: login}
	var err error
	if q.reference, err = parseName(image); err != nil {
		return q, fault.New(fault.NoImage, fmt.Errorf("%q is not the name of an image: %w", image, err), "correct the name of the image")
	}
	if q.platform, err = parsePlatform(platform); err != nil {
		return q, fault.New(fault.UnfitImage, err, "write the platform as os/arch or os/arch/variant, such as linux/amd64")
	}
	q.chosen = platform != ""
	return q, nil
}

// host returns the host of the registry, with its port if the name has one.
func (q query) host() string { return q.reference.Context().RegistryStr() }

// parseName returns the name of an image in the form of the client's library. Another
// library judges the name, the one of docker and podman: that of the client takes
// --privileged for a name.
func parseName(image string) (name.Reference, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return nil, err
	}
	registry, err := name.NewRegistry(reference.Domain(named), name.StrictValidation)
	if err != nil {
		return nil, err
	}
	repository := registry.Repo(reference.Path(named))
	if digested, ok := named.(reference.Digested); ok {
		return repository.Digest(digested.Digest().String()), nil
	}
	if tagged, ok := reference.TagNameOnly(named).(reference.Tagged); ok {
		return repository.Tag(tagged.Tag()), nil
	}
	return nil, reference.ErrReferenceInvalidFormat
}

// parsePlatform reads os/arch[/variant]. An empty text is the platform of this host.
func parsePlatform(text string) (v1.Platform, error) {
	if text == "" {
		return v1.Platform{OS: "linux", Architecture: runtime.GOARCH}, nil
	}
	parts := strings.Split(text, "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return v1.Platform{}, fmt.Errorf("%q is not a platform", text)
	}
	return v1.Platform{OS: parts[0], Architecture: parts[1], Variant: strings.Join(parts[2:], "")}, nil
}

// fits reports whether an image for the platform has serves one who wants the platform
// want. A variant that is not named is any. The variant v8 of arm64 is often left out.
func fits(has, want v1.Platform) bool {
	if has.OS != want.OS || has.Architecture != want.Architecture {
		return false
	}
	plain := want.Architecture == "arm64" && want.Variant == "v8" && has.Variant == ""
	return want.Variant == "" || want.Variant == has.Variant || plain
}
