package selection

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// errVerbatim means that the runner uses the whole pattern unexpanded.
var errVerbatim = errors.New("the runner does not expand the pattern")

// expand expands a pattern as the runner's commands do. They use shell.Expand of
// mvdan.cc/sh, which is too big for a program that must start at once. This function
// knows variables, their defaults, and escapes. It returns a pattern unchanged if the
// runner would. It fails if the runner may expand the pattern in a way that it does not
// know.
func (v *Variables) expand(pattern string) (string, error) {
	if !strings.ContainsAny(pattern, "$\\`\r\x00") {
		return pattern, nil
	}
	if strings.ContainsRune(pattern, 0) {
		return "", errors.New("a NUL in a pattern is not supported")
	}
	var out strings.Builder
	rest := strings.ReplaceAll(pattern, "\r\n", "\n")
	for rest != "" {
		i := strings.IndexAny(rest, "$\\`")
		if i < 0 {
			i = len(rest)
		}
		out.WriteString(rest[:i])
		value, after, err := v.expandFirst(rest[i:])
		if errors.Is(err, errVerbatim) {
			return pattern, nil
		}
		if err != nil {
			return "", err
		}
		out.WriteString(value)
		rest = after
	}
	return out.String(), nil
}

// expandFirst expands the expression at the beginning of text, which is empty or begins
// with a special character. It returns the expression's value and the rest of text.
func (v *Variables) expandFirst(text string) (value, rest string, err error) {
	if len(text) < 2 {
		if text == "`" {
			return "", "", errVerbatim
		}
		return text, "", nil
	}
	next := text[1]
	switch {
	case text[0] == '`' || text[0] == '$' && next == '`':
		return "", "", errVerbatim // the runner refuses commands, and then uses the pattern unexpanded
	case text[0] == '\\' && next == '\n':
		return "", text[2:], nil
	case text[0] == '\\' && strings.IndexByte("\\$`", next) >= 0:
		return text[1:2], text[2:], nil
	case text[0] == '\\' || strings.HasPrefix(text[1:], "\\"):
		return text[:1], text[1:], nil
	case strings.HasPrefix(text, "$((") || next == '[':
		return "", "", errors.New("arithmetic in a pattern is not supported; use a variable")
	case next == '(':
		return "", "", errVerbatim
	case next == '{':
		return v.expandBraced(text[2:])
	case strings.IndexByte("@*#?$!-0123456789", next) >= 0:
		return "", text[2:], nil // the runner looks up a variable with this name, and there is none
	}
	name := text[1 : 1+nameLength(text[1:])]
	if name == "" {
		return "$", text[1:], nil
	}
	value, err = v.lookup(name)
	return value, text[1+len(name):], err
}

// expandBraced expands the text after "${", up to the closing brace.
func (v *Variables) expandBraced(text string) (value, rest string, err error) {
	unsupported := errors.New("only ${NAME}, ${NAME:-default} and ${NAME:+other} are supported in a pattern")
	inner, rest, closed := strings.Cut(text, "}")
	name := inner[:nameLength(inner)]
	if name == "" || !closed {
		return "", "", unsupported
	}
	if value, err = v.lookup(name); err != nil {
		return "", "", err
	}
	operator := strings.TrimPrefix(inner[len(name):], ":") // an empty variable counts as not set, so ":-" is the same as "-"
	if operator == "" && len(inner) == len(name) {
		return value, rest, nil
	}
	if operator == "" || strings.ContainsFunc(operator[1:], func(r rune) bool { return !isPlain(r) }) {
		return "", "", unsupported
	}
	switch {
	case operator[0] == '-' && value == "", operator[0] == '+' && value != "":
		return operator[1:], rest, nil
	case operator[0] == '-' || operator[0] == '+':
		return value, rest, nil
	}
	return "", "", unsupported
}

// lookup returns the value of a variable. It fails for variables that bash sets itself.
func (v *Variables) lookup(name string) (string, error) {
	if slices.Contains([]string{"_", "LINENO", "OLDPWD", "SHLVL"}, name) {
		return "", fmt.Errorf("the variable %s is not supported in a pattern", name)
	}
	return v.get(name), nil
}

// nameLength returns the length of the variable's name at the beginning of text.
func nameLength(text string) int {
	i := 0
	for i < len(text) && (isLetter(text[i]) || i > 0 && isDigit(text[i])) {
		i++
	}
	return i
}

// isLetter reports whether a name may begin with c.
func isLetter(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

// isDigit reports whether c is a digit of ASCII.
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isPlain reports whether r has no special meaning in a default.
func isPlain(r rune) bool {
	return nameLength(string(r)) == 1 || strings.ContainsRune("0123456789./-,:@%+=", r)
}
