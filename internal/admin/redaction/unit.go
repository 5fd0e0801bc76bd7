package redaction

import (
	"slices"
	"strings"
)

// Unit returns a unit of systemd, or a drop-in of one: the values of known settings, the programs
// of commands without their arguments, and the names of variables. Comments go too.
func (s *Secrets) Unit(content string) string {
	var kept strings.Builder
	joined := strings.ReplaceAll(content, "\\\n", " ") // a line may go on
	for line := range strings.Lines(joined) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, ";"):
			continue
		case strings.HasPrefix(line, "["):
			kept.WriteString(line)
		default:
			key, value, _ := strings.Cut(line, "=")
			key = strings.TrimSpace(key)
			kept.WriteString(key + "=" + s.setting(key, strings.TrimSpace(value)))
		}
		kept.WriteString("\n")
	}
	return kept.String()
}

// setting returns the value of a setting as it may be shown.
func (s *Secrets) setting(key, value string) string {
	words := strings.Fields(value)
	switch {
	case value == "":
		return ""
	case slices.Contains(unitKeys(), key):
		return s.URL(value)
	case strings.HasPrefix(key, "Exec"):
		s.addAll(words[1:])
		return words[0] + strings.Repeat(" "+Mark, min(len(words)-1, 1))
	case key == "Environment":
		return s.environment(words)
	}
	s.addAll(words)
	return Mark
}

// addAll remembers words that are no flags.
func (s *Secrets) addAll(words []string) {
	for _, word := range words {
		if _, value, ok := strings.Cut(word, "="); ok {
			word = value
		}
		if word = strings.Trim(word, `"'`); !strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "/") && word != "gitlab-runner" {
			s.add(word)
		}
	}
}

// environment returns the names of variables.
func (s *Secrets) environment(words []string) string {
	var names []string
	for _, word := range words {
		name, value, ok := strings.Cut(strings.Trim(word, `"'`), "=")
		if !ok {
			s.add(name) // a word of the value before
			continue
		}
		s.add(value)
		names = append(names, name+"="+Mark)
	}
	return strings.Join(names, " ")
}
