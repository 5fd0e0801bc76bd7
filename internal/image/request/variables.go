package request

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"rolecall/internal/idtoken"
	"rolecall/internal/job"
)

// maxExpanded bounds the bytes that all expansions of a job may produce: a text can name
// a long variable many times.
const maxExpanded = 1 << 20

// variables are the variables of a job, as the runner expands them.
type variables struct {
	response job.Response
	request  job.Request
	last     map[string]job.Variable // of those that GitLab sent, the last of each name
	budget   int                     // bytes that may still be expanded
}

// newVariables returns the variables of a job.
func newVariables(r job.Response, request job.Request) *variables {
	v := &variables{response: r, request: request, last: map[string]job.Variable{}, budget: maxExpanded}
	for _, one := range r.Variables {
		v.last[one.Key] = one
	}
	return v
}

// expand replaces $NAME and ${NAME}, by os.Expand as the runner does: common/spec.
func (v *variables) expand(text string) string { return v.expandWith(text, v.get) }

// expandWith expands a text by get.
func (v *variables) expandWith(text string, get func(name string) string) string {
	return os.Expand(text, func(name string) string {
		value := get(name)
		if v.budget -= len(value); v.budget < 0 {
			return ""
		}
		return value
	})
}

// get returns the value of a variable; of one of type file, the path of the file.
func (v *variables) get(name string) string {
	switch {
	case name == "$":
		return name
	case len(name) == 1 && strings.Contains("*#@!?0123456789", name):
		return ""
	case v.last[name].File:
		return path.Join(v.request.TempProjectDir(), name)
	}
	return v.request[name]
}

// checkBudget returns an error if more was expanded than may be.
func (v *variables) checkBudget() error {
	if v.budget < 0 {
		return fmt.Errorf("its variables have more than %d MiB when they are expanded", maxExpanded>>20)
	}
	return nil
}

// ofService returns the variables of a service as NAME=value, each once: those of the job
// that may be shown, and the service's own, which win. An ID token of the job is as good as
// credentials: a variable of the job that holds one is left out, and a service's own is an
// error.
func (v *variables) ofService(own []job.Variable) ([]string, error) {
	values, names := map[string]string{}, []string(nil)
	add := func(name, value string) {
		if _, has := values[name]; !has {
			names = append(names, name)
		}
		values[name] = value
	}
	for _, one := range v.response.Variables {
		last := v.last[one.Key]
		if last.Public && !last.File && isVariable(one.Key) && !v.hasToken(v.request[one.Key]) {
			add(one.Key, v.request[one.Key])
		}
	}
	for _, one := range own {
		value := v.ownValue(one, own)
		if err := v.checkVariable(one.Key, value); err != nil {
			return nil, err
		}
		add(one.Key, value)
	}
	var all []string
	for _, name := range names {
		all = append(all, name+"="+values[name])
	}
	return all, v.checkBudget()
}

// ownValue returns the value of a service's own variable. It may name the variables of the
// job and those of the service.
func (v *variables) ownValue(one job.Variable, own []job.Variable) string {
	if one.Raw {
		return one.Value
	}
	return v.expandWith(one.Value, func(name string) string {
		for _, other := range slices.Backward(own) {
			if other.Key == name {
				return other.Value
			}
		}
		return v.get(name)
	})
}

// checkVariable checks a service's own variable.
func (v *variables) checkVariable(name, value string) error {
	switch {
	case !isVariable(name):
		return fmt.Errorf("variables: %.80q is no name of a variable", name)
	case strings.ContainsRune(value, 0):
		return fmt.Errorf("variables: %s has a NUL byte", name)
	case v.hasToken(value):
		return fmt.Errorf("variables: %s holds an ID token of the job, which a service must not have", name)
	}
	return nil
}

// hasToken reports whether a text holds an ID token of the job.
func (v *variables) hasToken(text string) bool {
	return len(idtoken.OfJob(slices.Values([]string{text}), int64(v.response.ID), v.response.Project)) > 0
}

// isVariable reports whether a text is the name of a variable of the environment.
func isVariable(name string) bool {
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
	return name != "" && len(name) <= 256 && strings.Trim(name[:1], letters) == "" && strings.Trim(name, letters+"0123456789") == ""
}
