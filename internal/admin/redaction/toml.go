package redaction

import (
	"errors"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Policy returns a policy file without what may be secret: the values of sources, of helpers and
// of tags. Comments go too.
func (s *Secrets) Policy(content []byte) ([]byte, error) { return s.toml(content, policyKeys) }

// Runner returns the config.toml of GitLab Runner without tokens, environments and all else that
// may be secret. Comments go too.
func (s *Secrets) Runner(content []byte) ([]byte, error) { return s.toml(content, runnerKeys) }

// toml returns a file of TOML with the values of known keys alone. An error quotes nothing of it.
func (s *Secrets) toml(content []byte, known func(path string) bool) ([]byte, error) {
	var tree map[string]any
	if err := toml.Unmarshal(content, &tree); err != nil {
		line := 0
		if broken, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ = broken.Position()
		}
		return nil, fmt.Errorf("line %d is no TOML, so nothing of the file is here", line)
	}
	return toml.Marshal(s.table("", tree, known))
}

// table returns a table with the values of known keys alone.
func (s *Secrets) table(path string, values map[string]any, known func(string) bool) map[string]any {
	kept := map[string]any{}
	for key, value := range values {
		kept[key] = s.value(strings.TrimPrefix(path+"."+key, "."), value, known)
	}
	return kept
}

// value returns a value as it may be shown.
func (s *Secrets) value(path string, value any, known func(string) bool) any {
	switch v := value.(type) {
	case map[string]any:
		return s.table(path, v, known)
	case []any:
		kept := make([]any, len(v))
		for i := range v {
			kept[i] = s.value(path, v[i], known)
		}
		if strings.HasSuffix(path, "_args") && known(path) {
			return s.args(v)
		}
		return kept
	case string:
		if known(path) {
			return s.URL(v)
		}
		s.add(v)
		return Mark
	case bool, int64, float64:
		if known(path) {
			return v
		}
	}
	return Mark
}

// args returns the arguments of a stage: the driver's own flags, and nothing else.
func (s *Secrets) args(all []any) []any {
	kept, valued := make([]any, len(all)), false
	for i, one := range all {
		text, _ := one.(string)
		name, _, joined := strings.Cut(strings.TrimLeft(text, "-"), "=")
		switch {
		case strings.HasPrefix(text, "-") && isFlag(name):
			kept[i], valued = text, !joined && name != "no-policy"
		case valued:
			kept[i], valued = text, false
		default:
			s.add(text)
			kept[i] = Mark
		}
	}
	return kept
}

// isFlag reports whether stages have a flag of that name.
func isFlag(name string) bool {
	switch name {
	case "config", "tenant", "no-policy", "run-as":
		return true
	}
	return false
}
