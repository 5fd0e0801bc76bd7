// Package image holds what a job asks for of containers, and the rules of a policy file
// that judge it.
package image

import (
	"slices"
	"strconv"
	"strings"

	"rolecall/internal/backend"
	"rolecall/internal/mask"
)

// Request is what a job asks for of containers: all variables are expanded, and all names
// are in full.
type Request struct {
	Image    backend.Image // without a Name: the job has none
	Default  bool          // Image is that of the policy file
	Services []backend.Service
	Logins   []Login  // in the order of preference
	Warnings []string // what the author of the job must know, one line each

	NoAuthConfig error // why DOCKER_AUTH_CONFIG cannot be used; nil: it can, or the job has none
}

// Empty reports whether the job needs no containers.
func (r Request) Empty() bool { return r.Image.Name == "" && len(r.Services) == 0 }

// all returns the job's image, if it is not that of the policy file, and those of its
// services.
func (r Request) all() []backend.Image {
	var all []backend.Image
	if r.Image.Name != "" && !r.Default {
		all = append(all, r.Image)
	}
	for _, s := range r.Services {
		all = append(all, s.Image)
	}
	return all
}

// The sources of logins, as messages name them.
const (
	OfJob      = "the job"
	AuthConfig = "DOCKER_AUTH_CONFIG" // a variable of the job
)

// Login is how to log in to a registry.
type Login struct {
	Host     string // with a port, or a path below which it is for, if it has one
	Username string
	Password mask.Secret
	Source   string // OfJob or AuthConfig
}

// Applying returns those of the job's logins that its images need: for each image the one
// of the longest path, and of several the first. Those of DOCKER_AUTH_CONFIG are left out
// unless they are allowed.
func (r Request) Applying(authConfig bool) []Login {
	var applying []Login
	seen := map[string]bool{}
	images := []backend.Image{r.Image}
	for _, s := range r.Services {
		images = append(images, s.Image)
	}
	for _, one := range images {
		if l := LoginFor(one.Name, r.logins(authConfig)); l != nil && !seen[l.Host] {
			seen[l.Host] = true
			applying = append(applying, *l)
		}
	}
	return applying
}

// logins returns the logins of the job, with those of DOCKER_AUTH_CONFIG if they are allowed.
func (r Request) logins(authConfig bool) []Login {
	return slices.DeleteFunc(slices.Clone(r.Logins), func(l Login) bool { return l.Source == AuthConfig && !authConfig })
}

// LoginFor returns the login for an image of that name: the one of the longest path, and of
// several the first. Nil means none.
func LoginFor(name string, logins []Login) *Login {
	for path := backend.Repository(name); path != ""; path = path[:max(strings.LastIndexByte(path, '/'), 0)] {
		for i, l := range logins {
			if l.Host == path {
				return &logins[i]
			}
		}
	}
	return nil
}

// HasDigest reports whether the full name of an image has a digest, so that it always
// means the same content.
func HasDigest(name string) bool { return strings.Contains(name, "@") }

// IsUser reports whether a text is a user of an image, with or without a group: numbers,
// or names.
func IsUser(text string) bool {
	user, group, hasGroup := strings.Cut(text, ":")
	return isName(user) && (!hasGroup || isName(group))
}

// isName reports whether a text is a number, or the name of a user or group.
func isName(text string) bool {
	const digits, letters = "0123456789", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	if strings.Trim(text, digits) == "" { // also if it is empty
		_, err := strconv.ParseUint(text, 10, 16) // the user namespace of a job has 65536 ids
		return err == nil
	}
	return len(text) <= 32 && strings.Trim(text[:1], letters) == "" && strings.Trim(text, letters+digits+"-.") == ""
}
