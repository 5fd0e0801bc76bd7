package job

import (
	"encoding/json"
	"errors"
	"strconv"

	"rolecall/internal/mask"
)

// Container is an image or a service of .gitlab-ci.yml, as GitLab sent it. A default of
// the runner's is not among them. The runner has expanded Name and Alias; no variable is
// expanded in the rest.
type Container struct {
	Name         string
	Alias        string   // host names of a service, with spaces or commas between them
	Entrypoint   []string // empty: that of the image; one empty text: none
	Command      []string // of a service; empty: that of the image
	Variables    []Variable
	PullPolicies []string // in the order of preference
	User         string   // docker:user
	Platform     string   // docker:platform
	OtherUser    string   // kubernetes:user, which is for another executor
}

// Empty reports whether the job says nothing of the container.
func (c Container) Empty() bool {
	return c.Name == "" && len(c.Entrypoint) == 0 && len(c.PullPolicies) == 0 && c.User == "" && c.Platform == "" && c.OtherUser == ""
}

// Login is what GitLab gives a job to log in to a registry.
type Login struct {
	URL      string // such as registry.example.com, which is GitLab's own
	Username string
	Password mask.Secret
}

// wireContainer is a Container as GitLab sends it: common/spec.Image in GitLab Runner.
type wireContainer struct {
	Name         string     `json:"name"`
	Alias        string     `json:"alias"`
	Entrypoint   []string   `json:"entrypoint"`
	Command      []string   `json:"command"`
	Variables    []Variable `json:"variables"`
	PullPolicies []string   `json:"pull_policy"`
	Options      struct {
		Docker struct {
			User     textOrNumber `json:"user"`
			Platform string       `json:"platform"`
		} `json:"docker"`
		Kubernetes struct {
			User textOrNumber `json:"user"`
		} `json:"kubernetes"`
	} `json:"executor_opts"`
}

// container returns the Container.
func (w wireContainer) container() Container {
	return Container{
		Name: w.Name, Alias: w.Alias, Entrypoint: w.Entrypoint, Command: w.Command,
		Variables: w.Variables, PullPolicies: w.PullPolicies,
		User: string(w.Options.Docker.User), Platform: w.Options.Docker.Platform, OtherUser: string(w.Options.Kubernetes.User),
	}
}

// containers returns the Containers of a list.
func containers(all []wireContainer) []Container {
	var list []Container
	for _, one := range all {
		list = append(list, one.container())
	}
	return list
}

// textOrNumber is a user, which GitLab sends as a text or as a number.
type textOrNumber string

// UnmarshalJSON reads either.
func (t *textOrNumber) UnmarshalJSON(data []byte) error {
	var number int64
	if json.Unmarshal(data, (*string)(t)) == nil {
		return nil
	}
	if json.Unmarshal(data, &number) != nil {
		return errors.New("a user is a text or a number")
	}
	*t = textOrNumber(strconv.FormatInt(number, 10))
	return nil
}

// wireLogin is one of the credentials that GitLab sends: common/spec.Credentials in
// GitLab Runner.
type wireLogin struct {
	Type     string `json:"type"`
	URL      string `json:"url"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// logins returns those of the credentials that are for registries.
func logins(all []wireLogin) []Login {
	var list []Login
	for _, one := range all {
		if one.Type == "registry" {
			list = append(list, Login{one.URL, one.Username, mask.NewSecret(one.Password)})
		}
	}
	return list
}
