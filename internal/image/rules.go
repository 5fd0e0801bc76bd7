package image

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/backend"
)

// Rules are what a policy file allows of containers. What they do not name is denied.
type Rules struct {
	Images     []Pattern            // for image:
	Services   []Pattern            // for services:
	Users      []string             // for docker:user; an empty text is the image's own user, and no list is that alone
	Policies   []backend.PullPolicy // the first is for jobs that name none; no list is always alone
	DigestOnly bool                 // only names with a digest
	AuthConfig bool                 // DOCKER_AUTH_CONFIG of the job is used
}

// Clone returns a copy of the rules, whose lists may then change.
func (r Rules) Clone() Rules {
	r.Images, r.Services = slices.Clone(r.Images), slices.Clone(r.Services)
	r.Users, r.Policies = slices.Clone(r.Users), slices.Clone(r.Policies)
	return r
}

// users returns the users that may be named.
func (r Rules) users() []string {
	if len(r.Users) == 0 {
		return []string{""}
	}
	return r.Users
}

// PullPolicies returns the pull policies that may be named. There is at least one.
func (r Rules) PullPolicies() []backend.PullPolicy {
	if len(r.Policies) == 0 {
		return []backend.PullPolicy{backend.Always}
	}
	return r.Policies
}

// Host is what a policy file says of the containers of all jobs.
type Host struct {
	MaxServices  int64
	RequireImage bool
}

// Check is the answer of one rule about what a job asks for.
type Check struct {
	Rule    string // key of the policy file
	Want    string // what the file says
	Got     string // what the job has
	Refuses string // what of the job the rule refuses; empty: it allows the job
	Why     string // why the rule refuses it
	Allowed string // what the rule would allow; empty: Why says it
	Next    string // what the author can do
}

// Judge checks what a job asks for against all rules. The image of a policy file needs no
// permission.
func (r Rules) Judge(q Request, h Host) []Check {
	checks := []Check{r.images(q), r.services(q), r.imageUsers(q), r.pullPolicies(q), r.digestOnly(q), h.services(q)}
	if h.RequireImage {
		checks = append(checks, requireImage(q))
	}
	return checks
}

// First returns the first check that does not allow the job, or nil.
func First(checks []Check) *Check {
	i := slices.IndexFunc(checks, func(c Check) bool { return c.Refuses != "" })
	if i < 0 {
		return nil
	}
	return &checks[i]
}

// images judges the image of the job.
func (r Rules) images(q Request) Check {
	c := Check{Rule: "images", Want: patterns(r.Images), Got: cmp.Or(q.Image.Name, "none")}
	if q.Default {
		c.Got += " (default_image)"
	} else if q.Image.Name != "" && !allows(r.Images, q.Image.Name) {
		c.refuse("the image of this job", q.Image.Name+" is not among the images", "choose one that is")
	}
	return c
}

// services judges the images of the services.
func (r Rules) services(q Request) Check {
	c := Check{Rule: "services", Want: patterns(r.Services)}
	var names []string
	for _, s := range q.Services {
		names = append(names, s.Name)
		if c.Refuses == "" && !allows(r.Services, s.Name) {
			c.refuse("a service of this job", s.Name+" is not among the services", "choose one that is")
		}
	}
	c.Got = cmp.Or(join(names), "none")
	return c
}

// imageUsers judges the users that containers start as.
func (r Rules) imageUsers(q Request) Check {
	c := Check{Rule: "image_users", Want: join(quoted(r.users()))}
	var users []string
	for _, one := range q.all() {
		users = append(users, one.User)
		if c.Refuses == "" && !slices.Contains(r.users(), one.User) {
			c.refuse("docker:user of this job", userOf(one)+" is not among the image_users", "correct docker:user")
		}
	}
	c.Got = cmp.Or(join(quoted(users)), "none")
	return c
}

// pullPolicies judges when images are pulled.
func (r Rules) pullPolicies(q Request) Check {
	c := Check{Rule: "pull_policies", Want: join(r.PullPolicies())}
	var policies []backend.PullPolicy
	for _, one := range q.all() {
		policies = append(policies, one.Policies...)
		for _, p := range one.Policies {
			if c.Refuses == "" && !slices.Contains(r.PullPolicies(), p) {
				c.refuse("pull_policy of this job", fmt.Sprintf("%q of %s is not among the pull_policies", p, one.Name), "correct pull_policy")
			}
		}
	}
	c.Got = cmp.Or(join(policies), "none")
	return c
}

// digestOnly judges whether names say which content they mean.
func (r Rules) digestOnly(q Request) Check {
	c := Check{Rule: "digest_only", Want: fmt.Sprint(r.DigestOnly)}
	var without []string
	for _, one := range q.all() {
		if !HasDigest(one.Name) {
			without = append(without, one.Name)
		}
	}
	c.Got = cmp.Or(join(without), "all have one")
	if r.DigestOnly && len(without) > 0 {
		c.Refuses, c.Why, c.Next = "an image of this job without a digest", without[0]+" has none", "write NAME@sha256:DIGEST"
	}
	return c
}

// services judges how many services there are.
func (h Host) services(q Request) Check {
	n := len(q.Services)
	c := Check{Rule: "max_services", Want: fmt.Sprint(h.MaxServices), Got: fmt.Sprint(n)}
	if int64(n) > h.MaxServices {
		c.Refuses, c.Why, c.Next = "the services of this job", fmt.Sprintf("there are %d, and at most %d are allowed", n, h.MaxServices), "remove some of services:"
	}
	return c
}

// requireImage judges a job on a host whose jobs must all have an image.
func requireImage(q Request) Check {
	c := Check{Rule: "require_image", Want: "true", Got: cmp.Or(q.Image.Name, "none")}
	if q.Image.Name == "" {
		c.Refuses, c.Why, c.Next = "this job without an image", "the scripts of each job run in a container", "set image: in the job"
	}
	return c
}

// refuse puts into a check what its list does not have.
func (c *Check) refuse(what, why, next string) {
	c.Refuses, c.Why, c.Allowed, c.Next = what, why, c.Want, next
}

// userOf names the user of a container.
func userOf(i backend.Image) string {
	if i.User == "" {
		return "the own user of " + i.Name
	}
	return fmt.Sprintf("%q of %s", i.User, i.Name)
}

// allows reports whether one of the patterns matches.
func allows(all []Pattern, name string) bool {
	return slices.ContainsFunc(all, func(p Pattern) bool { return p.Match(name) })
}

// patterns returns patterns as a text.
func patterns(all []Pattern) string { return cmp.Or(join(all), "none") }

// maxListed bounds how many elements of a list a text names.
const maxListed = 10

// join joins the first texts of a list, and says how many more there are.
func join[T ~string](all []T) string {
	var texts []string
	for _, one := range all[:min(len(all), maxListed)] {
		texts = append(texts, string(one))
	}
	text := strings.Join(texts, ", ")
	if more := len(all) - maxListed; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// quoted returns texts in quotes.
func quoted(all []string) []string {
	var texts []string
	for _, one := range all {
		texts = append(texts, fmt.Sprintf("%q", one))
	}
	return texts
}
