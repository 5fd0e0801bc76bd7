package request

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/distribution/reference"

	"rolecall/internal/backend"
	"rolecall/internal/job"
	"rolecall/internal/tenant"
)

// maxAliases bounds how many names a service may have.
const maxAliases = 64

// service reads a service.
func (v *variables) service(c job.Container) (backend.Service, error) {
	i, err := v.image("services", c)
	if err != nil {
		return backend.Service{}, err
	}
	s := backend.Service{Image: i, Command: c.Command}
	if err = checkWords("command", c.Command); err == nil {
		s.Aliases, err = aliases(v.expand(c.Name), v.expand(c.Alias))
	}
	if err == nil {
		s.Variables, err = v.ofService(c.Variables)
	}
	if err != nil {
		return backend.Service{}, bad("services", err, i.Name)
	}
	return s, nil
}

// aliases returns the host names of a service: those that GitLab Runner makes of the name
// as its author wrote it, without port, tag and digest, and those of alias:.
//
// https://docs.gitlab.com/ci/services/#accessing-the-services
func aliases(name, more string) ([]string, error) {
	if parts := reference.ReferenceRegexp.FindStringSubmatch(name); parts != nil {
		name = parts[1]
	}
	if host, path, ok := strings.Cut(name, "/"); ok {
		host, _, _ = strings.Cut(host, ":")
		name = host + "/" + path
	}
	all := []string{strings.ReplaceAll(name, "/", "__"), strings.ReplaceAll(name, "/", "-")}
	for _, alias := range strings.Fields(strings.ReplaceAll(more, ",", " ")) {
		if !isHost(alias) {
			return nil, fmt.Errorf("alias %s is not the name of a host", tenant.Quote(alias))
		}
		all = append(all, alias)
	}
	all = slices.DeleteFunc(all, func(alias string) bool { return !isHost(alias) })
	if len(all) > maxAliases {
		return nil, errors.New("it has too many aliases")
	}
	return unique(all), nil
}

// isHost reports whether a text can stand as a name in /etc/hosts.
func isHost(text string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	return text != "" && len(text) <= 253 && strings.Trim(text[:1], letters+"_") == "" && strings.Trim(text, letters+"-_.") == ""
}

// unique returns the texts in their order, each once.
func unique(all []string) []string {
	var once []string
	for _, one := range all {
		if !slices.Contains(once, one) {
			once = append(once, one)
		}
	}
	return once
}

// dropTaken takes from services the aliases that a service before them has, as GitLab
// Runner does, and returns warnings of that.
func dropTaken(services []backend.Service) (warnings []string) {
	taken := map[string]bool{}
	for i := range services {
		s := &services[i]
		s.Aliases = slices.DeleteFunc(s.Aliases, func(alias string) bool {
			if taken[alias] {
				warnings = append(warnings, fmt.Sprintf("service %s has no alias %s: another service has it", s.Name, alias))
			}
			return taken[alias]
		})
		for _, alias := range s.Aliases {
			taken[alias] = true
		}
	}
	return warnings
}
