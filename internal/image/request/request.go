// Package request reads what a job asks for of containers from the job response, and
// from nothing else: an author can override CI_JOB_IMAGE and CI_JOB_SERVICES.
package request

import (
	"errors"
	"fmt"
	"strings"

	"github.com/distribution/reference"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/image"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// Bounds of what a job may ask for. They are above all that is sensible.
const (
	maxServices = 100
	maxWords    = 64 << 10 // bytes of an entrypoint and of a command, which start as one argument list
)

// Read reads what a job asks for. The variables of the job are expanded as GitLab Runner
// does it. An error is a fault.Author.
func Read(r job.Response, request job.Request) (image.Request, error) {
	v := newVariables(r, request)
	var q image.Request
	var err error
	if len(r.Services) > maxServices {
		return q, fault.New(fault.BadImage, fmt.Errorf("the job has more than %d services", maxServices), "remove some of services:")
	}
	if !r.Image.Empty() {
		if q.Image, err = v.image("image", r.Image); err != nil {
			return q, err
		}
	}
	for _, one := range r.Services {
		s, err := v.service(one)
		if err != nil {
			return q, err
		}
		q.Services = append(q.Services, s)
	}
	q.Warnings = dropTaken(q.Services)
	q.Logins, q.NoAuthConfig = logins(r, request)
	return q, nil
}

// bad returns an error about what the author has written of an image, or of the image of a
// service, under the key what.
func bad(what string, err error, name string) *fault.Error {
	return fault.New(fault.BadImage, fmt.Errorf("%s: %w", what, err), "correct it in .gitlab-ci.yml").Detail("image", name)
}

// image reads an image, which stands under the key what: "image" or "services".
func (v *variables) image(what string, c job.Container) (backend.Image, error) {
	name, err := fullName(v.expand(c.Name))
	if err != nil {
		return backend.Image{}, fault.New(fault.BadImage, fmt.Errorf("%s: this is not the name of an image", what),
			"correct it in .gitlab-ci.yml; a name is such as registry.example.com/group/name:tag, and a variable in it has a value").
			Detail("name", tenant.Quote(c.Name)).Detail("why", err.Error())
	}
	out := backend.Image{Name: name, User: v.expand(c.User), Platform: v.expand(c.Platform), HasEntry: len(c.Entrypoint) > 0}
	if len(c.Entrypoint) != 1 || c.Entrypoint[0] != "" {
		out.Entrypoint = c.Entrypoint
	}
	if out.Policies, err = policies(c.PullPolicies); err == nil {
		err = v.checkImage(c, out)
	}
	if err != nil {
		return backend.Image{}, bad(what, err, name)
	}
	return out, nil
}

// checkImage checks what there is of an image beside its name.
func (v *variables) checkImage(c job.Container, i backend.Image) error {
	if err := v.checkBudget(); err != nil {
		return err
	}
	switch {
	case i.User != "" && !image.IsUser(i.User):
		return fmt.Errorf("docker:user %s: want UID, UID:GID or the name of a user", tenant.Quote(i.User))
	case i.User == "" && c.OtherUser != "":
		return errors.New("kubernetes:user is of another executor; write docker:user")
	case i.Platform != "" && !isPlatform(i.Platform):
		return fmt.Errorf("docker:platform %s: want such as linux/arm64", tenant.Quote(i.Platform))
	}
	return checkWords("entrypoint", i.Entrypoint)
}

// fullName returns the name of an image in full: with its registry, and with a tag or a
// digest. With a digest the tag says nothing, and is left out.
func fullName(text string) (string, error) {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "", noName(err)
	}
	if digested, ok := named.(reference.Digested); ok {
		if digested.Digest().Algorithm() != "sha256" {
			return "", errors.New("want a digest of sha256")
		}
		return reference.TrimNamed(named).String() + "@" + digested.Digest().String(), nil
	}
	return reference.TagNameOnly(named).String(), nil
}

// noName returns why a text is no name. What the library says can quote the whole text.
func noName(err error) error {
	switch {
	case errors.Is(err, reference.ErrNameTooLong):
		return errors.New("it is too long")
	case strings.Contains(err.Error(), "lowercase"):
		return errors.New("only a registry and a tag may have upper-case letters")
	}
	return errors.New("it has not the form of a name")
}

// policies reads pull policies.
func policies(texts []string) ([]backend.PullPolicy, error) {
	var all []backend.PullPolicy
	for _, text := range texts {
		p := backend.PullPolicy(text)
		if p != backend.Always && p != backend.IfNotPresent && p != backend.Never {
			return nil, fmt.Errorf("pull_policy %s: want always, if-not-present or never", tenant.Quote(text))
		}
		all = append(all, p)
		if len(all) > 3 {
			return nil, errors.New("pull_policy: want each of always, if-not-present and never once at most")
		}
	}
	return all, nil
}

// isPlatform reports whether a text is a platform: os/arch or os/arch/variant.
func isPlatform(text string) bool {
	parts := strings.Split(text, "/")
	for _, part := range parts {
		if part == "" || len(part) > 32 || strings.Trim(part, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return false
		}
	}
	return len(parts) == 2 || len(parts) == 3
}

// checkWords checks an entrypoint or a command.
func checkWords(what string, words []string) error {
	size := 0
	for _, word := range words {
		if strings.ContainsRune(word, 0) {
			return errors.New(what + ": a NUL byte cannot be in it")
		}
		size += len(word) + 1
	}
	if size > maxWords {
		return fmt.Errorf("%s: it has more than %d bytes", what, maxWords)
	}
	return nil
}
