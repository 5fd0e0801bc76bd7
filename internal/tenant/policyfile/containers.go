package policyfile

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rolecall/internal/backend"
	"rolecall/internal/image"
	"rolecall/internal/tenant"
)

// containersKeys returns the keys of [containers].
func containersKeys() Keys {
	return Keys{
		"engine": Text, "images_dir": Text, "network": Text, "default_image": Text, "require_image": Switch,
		"pull_time": Text, "max_services": Number, "wait_for_services": Text, "images_max_bytes": Number,
	}
}

// setContainers compiles the table [containers]. Without an engine its other keys have no
// effect.
func setContainers(t Table, out *tenant.Settings) {
	var podman bool
	Set(t, "engine", isOther("none", tenant.Podman), &podman)
	if !podman {
		t.refuseIdle(slices.DeleteFunc(slices.Sorted(maps.Keys(t.values)), func(key string) bool { return key == "engine" }))
		return
	}
	c := tenant.PodmanContainers()
	Set(t, "images_dir", readFolder, &c.Engine.ImagesDir)
	Set(t, "network", isOneOf("host", "none", "slirp4netns", "pasta"), &c.Engine.Network)
	Set(t, "pull_time", readDuration, &c.Engine.PullTime)
	Set(t, "wait_for_services", readDuration, &c.Engine.WaitForServices)
	Set(t, "default_image", readDefaultImage, &c.DefaultImage)
	t.setSwitch("require_image", &c.RequireImage)
	t.setBound("max_services", &c.MaxServices)
	t.setLimit("images_max_bytes", &c.ImagesMaxBytes)
	if c.RequireImage && c.DefaultImage != "" {
		t.Fail("require_image", errors.New("with a default_image it has no effect; remove one of them"))
	}
	out.Containers = c
}

// refuseIdle reports keys that have no effect since there are no containers.
func (t Table) refuseIdle(keys []string) {
	for _, key := range keys {
		t.Fail(key, errors.New(`without containers it has no effect; set engine = "podman" in [containers], or remove it`))
	}
}

// checkPaths reports folders that the containers of jobs cannot see, by a character in their
// paths.
func (t Table) checkPaths(s tenant.Settings) {
	if s.Containers.Engine.Name == "" {
		return
	}
	for key, path := range map[string]string{"builds_dir": s.BuildsDir, "credentials_dir": s.CredentialsDir} {
		if err := checkMount(path); err != nil {
			t.Fail(key, err)
		}
	}
}

// checkMount returns an error if containers cannot see a path.
func checkMount(path string) error {
	if strings.ContainsAny(path, backend.Separators) {
		return fmt.Errorf("%s: want a path without %s, since containers see it", tenant.Quote(path), strings.Join(strings.Split(backend.Separators, ""), " "))
	}
	return nil
}

// checkServices reports a key that says what happens where there are no containers.
func (t Table) checkServices(s tenant.Settings) {
	if s.Containers.Engine.Name != "" && t.Has("unused_services") {
		t.Fail("unused_services", errors.New("services are used, by the engine of [containers]; remove it"))
	}
}

// setImages puts into rules what a table says of images.
func setImages(t Table, to *image.Rules) {
	SetAny(t, "images", image.ParsePattern, &to.Images)
	SetAny(t, "services", image.ParsePattern, &to.Services)
	SetList(t, "image_users", readImageUser, &to.Users)
	SetList(t, "pull_policies", readPullPolicy, &to.Policies)
	t.setSwitch("digest_only", &to.DigestOnly)
	t.setSwitch("docker_auth_config", &to.AuthConfig)
}

// checkImages reports the keys about images of a table that have no effect.
func (t Table) checkImages(s tenant.Settings) {
	if s.Containers.Engine.Name != "" {
		return
	}
	idle := []string{"images", "services", "image_users", "pull_policies", "digest_only", "docker_auth_config"}
	t.refuseIdle(slices.DeleteFunc(idle, func(key string) bool { return t.values[key] == nil }))
}

// readFolder reads the absolute path of a folder, which must not be empty.
func readFolder(text string) (string, error) {
	if text == "" {
		return "", errors.New("want the absolute path of a folder")
	}
	if err := checkMount(text); err != nil {
		return "", err
	}
	return ReadPath(text)
}

// readDefaultImage reads the full name of an image. An empty text means none.
func readDefaultImage(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	return image.ParseName(text)
}

// readImageUser reads a user of images.
func readImageUser(text string) (string, error) {
	if text != "" && !image.IsUser(text) {
		return "", fmt.Errorf(`%s: want UID, UID:GID or the name of a user; "" is the image's own`, tenant.Quote(text))
	}
	return text, nil
}

// readPullPolicy reads a pull policy.
func readPullPolicy(text string) (backend.PullPolicy, error) {
	policy, err := isOneOf(string(backend.Always), string(backend.IfNotPresent), string(backend.Never))(text)
	return backend.PullPolicy(policy), err
}

// isOneOf returns a function that reads one of some words.
func isOneOf(words ...string) func(text string) (string, error) {
	return func(text string) (string, error) {
		if !slices.Contains(words, text) {
			return "", fmt.Errorf("%s: want one of %s", tenant.Quote(text), strings.Join(words, ", "))
		}
		return text, nil
	}
}
