package admission

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/image"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// ImageReader reads what a job asks for of containers. An error is a fault.Author.
type ImageReader func(r job.Response, request job.Request) (image.Request, error)

// decideContainers decides what the job gets of containers. Where there are none, it
// refuses services if the policy file says so.
func (c Case) decideContainers(d *Decision) error {
	settings := d.Settings.Containers
	if settings.Engine.Name == "" {
		return c.checkServices(d.Settings)
	}
	if c.ReadImages == nil {
		return nil
	}
	if err := c.readImages(d, settings.DefaultImage); err != nil {
		return err
	}
	if d.Asked.Empty() && !settings.RequireImage {
		return nil
	}
	d.Checks = d.Grant.Images.Judge(d.Asked, image.Host{MaxServices: settings.MaxServices, RequireImage: settings.RequireImage})
	if err := cmp.Or(checkContainers(*d), c.NoContainers); err != nil {
		return err
	}
	d.Containers = containersOf(*d)
	return nil
}

// readImages puts into a decision what the job asks for, with the image of the policy file
// if the job names none, and which logins apply.
func (c Case) readImages(d *Decision, standard string) error {
	r := c.Response
	isDefault := standard != "" && r.Image.Empty()
	if isDefault {
		r.Image = job.Container{Name: standard}
		if _, err := c.ReadImages(job.Response{Image: r.Image}, nil); err != nil {
			return fault.New(fault.BadPolicy, fmt.Errorf("default_image: %s", oneLine(err)), "correct it in [containers] of the policy file")
		}
	}
	asked, err := c.ReadImages(r, c.Request)
	if err != nil {
		return err
	}
	asked.Default = isDefault
	allowed := d.Grant.Images.AuthConfig
	if text := unusedAuth(asked, allowed); text != "" {
		asked.Warnings = append(asked.Warnings, text)
	}
	d.Logins = asked.Applying(allowed)
	d.Asked, d.Asked.Logins = asked, nil
	return nil
}

// unusedAuth says why DOCKER_AUTH_CONFIG of the job is not used; empty if it is, or if no
// image needs it.
func unusedAuth(asked image.Request, allowed bool) string {
	needs := slices.ContainsFunc(asked.Applying(true), func(l image.Login) bool { return l.Source == image.AuthConfig })
	switch {
	case asked.Empty() || !allowed && !needs:
		return ""
	case !allowed:
		return image.AuthConfig + " is not used: the policy file of this runner does not allow it"
	case asked.NoAuthConfig != nil:
		return image.AuthConfig + " is not used: " + asked.NoAuthConfig.Error()
	}
	return ""
}

// checkContainers refuses what the rules do not allow, services that no script could
// reach, and containers that no unix user would own.
func checkContainers(d Decision) error {
	if check := image.First(d.Checks); check != nil {
		return refuseImage(d.Grant.Tenant, *check)
	}
	if d.Asked.Image.Name == "" {
		return fault.New(fault.BadImage, errors.New("the job has services and no image"), "set image: in the job").
			Detail("why", "its scripts would run on the runner's host, which cannot reach services by their names")
	}
	if d.Grant.RunAs == "" {
		return fault.New(fault.RootContainer, errors.New("this job has no unix user, and the containers of a job belong to one"),
			"set run_as in the policy file: for the tenant, or at the top for jobs without a tenant")
	}
	return nil
}

// refuseImage returns the refusal by a rule.
func refuseImage(of tenant.Name, check image.Check) error {
	who := "this runner"
	if of != tenant.None {
		who = "tenant " + tenant.Quote(string(of))
	}
	what := fmt.Sprintf("%s refuses %s: rule %s", who, check.Refuses, check.Rule)
	return fault.New(fault.ImageRefused, &tenant.Refusal{Tenant: of, Rule: check.Rule, What: what}, check.Next+", or ask the runner's admin").
		Detail("rule", check.Why).With("allowed", check.Allowed)
}

// containersOf returns what a job gets that the rules allow.
func containersOf(d Decision) *backend.Containers {
	rules := d.Grant.Images
	out := &backend.Containers{Image: withPolicy(d.Asked.Image, rules), Services: slices.Clone(d.Asked.Services), Engine: d.Settings.Containers.Engine}
	for i := range out.Services {
		out.Services[i].Image = withPolicy(out.Services[i].Image, rules)
	}
	return out
}

// withPolicy returns an image with the pull policy of the policy file if the job names
// none.
func withPolicy(i backend.Image, rules image.Rules) backend.Image {
	if len(i.Policies) == 0 {
		i.Policies = rules.PullPolicies()[:1]
	}
	return i
}
