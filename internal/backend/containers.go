package backend

import (
	"strings"
	"time"
)

// Containers is what a job gets of containers: what .gitlab-ci.yml asks for, expanded and
// allowed by the policy file.
type Containers struct {
	Image    Image     // the job's own scripts run in it
	Services []Service // run beside it
	Engine   Engine
}

// Image is an image, and how a container of it starts.
type Image struct {
	Name       string   // in full, such as docker.io/library/alpine:3; with a tag, a digest or both
	Entrypoint []string // replaces that of the image, if HasEntry is set; empty: none
	HasEntry   bool
	User       string       // replaces that of the image, as docker run --user has it; empty: the image's own
	Platform   string       // os/arch[/variant]; empty: that of the host
	Policies   []PullPolicy // tried in this order; never empty
}

// Service is a container beside the job's own, in the same network.
type Service struct {
	Image

	Aliases   []string // host names that the job finds it by
	Command   []string // replaces that of the image; empty: the image's own
	Variables []string // NAME=value, expanded
}

// PullPolicy says when an image is pulled.
//
// https://docs.gitlab.com/runner/executors/docker/#configure-how-runners-pull-images
type PullPolicy string

// The pull policies of GitLab Runner.
const (
	Always       PullPolicy = "always"
	IfNotPresent PullPolicy = "if-not-present"
	Never        PullPolicy = "never"
)

// Engine is how containers run on this host.
type Engine struct {
	Name            string        // such as podman
	ImagesDir       string        // folder of the image stores of all tenants
	Network         string        // host, none, slirp4netns or pasta
	PullTime        time.Duration // bounds the pull of all images of a job
	WaitForServices time.Duration // bounds the wait until the services listen
}

// Separators are the characters that a path which containers see cannot have. Podman, and the
// kernel in the options of an overlay, read them as the end of a path.
//
// https://docs.podman.io/en/v4.3/markdown/podman-create.1.html (--volume, --tmpfs)
// https://docs.kernel.org/filesystems/overlayfs.html#multiple-lower-layers
const Separators = `:,"\`

// Repository returns the full name of an image without its tag and digest.
func Repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name
}
