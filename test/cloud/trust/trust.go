// Package trust judges trust policies of IAM roles, as AWS does. A word of a policy that it does not
// know is an error: what is passed over could let somebody in.
package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Policy is a trust policy.
type Policy struct{ statements []statement }

// statement is one of its statements.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
type statement struct {
	Sid       string
	Effect    string
	Principal map[string]list
	Action    list
	Condition map[string]map[string]list // by operator and key
}

// list is a text or several.
type list []string

// UnmarshalJSON reads both forms.
func (l *list) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*l = list{""}
		return json.Unmarshal(text, &(*l)[0])
	}
	return json.Unmarshal(text, (*[]string)(l))
}

// Parse reads a trust policy.
func Parse(text string) (Policy, error) {
	var document struct {
		Version   string
		Statement []statement
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&document); err != nil {
		return Policy{}, fmt.Errorf("trust policy: %w", err)
	}
	if document.Version != "2012-10-17" || len(document.Statement) == 0 {
		return Policy{}, errors.New("trust policy: it needs the version 2012-10-17 and a statement")
	}
	for _, s := range document.Statement {
		if err := s.check(); err != nil {
			return Policy{}, fmt.Errorf("trust policy: %w", err)
		}
	}
	return Policy{document.Statement}, nil
}

// check returns what the judge does not know of a statement.
func (s statement) check() error {
	if s.Effect != "Allow" && s.Effect != "Deny" || len(s.Principal["Federated"]) == 0 || len(s.Principal) > 1 || len(s.Action) == 0 {
		return errors.New("a statement needs an effect, a federated principal and an action, and nothing else")
	}
	for operator := range s.Condition {
		if operator != "StringEquals" && operator != "StringLike" {
			return fmt.Errorf("the operator %q is not known", operator)
		}
	}
	return nil
}

// Request is who wants a role.
type Request struct {
	Provider string              // the ARN of the identity provider
	Actions  []string            // all of them must be allowed
	Keys     map[string][]string // the keys of conditions and their values
}

// Allows reports whether the policy allows a request. A statement that denies wins.
func (p Policy) Allows(r Request) bool {
	for _, action := range r.Actions {
		if !p.says("Allow", action, r) || p.says("Deny", action, r) {
			return false
		}
	}
	return len(r.Actions) > 0
}

// says reports whether a statement has the effect on an action.
func (p Policy) says(effect, action string, r Request) bool {
	return slices.ContainsFunc(p.statements, func(s statement) bool {
		return s.Effect == effect && slices.Contains(s.Principal["Federated"], r.Provider) && s.Action.match(action, true) && s.holds(r)
	})
}

// holds reports whether all conditions hold.
func (s statement) holds(r Request) bool {
	for operator, conditions := range s.Condition {
		for key, wanted := range conditions {
			ok := slices.ContainsFunc(r.values(key), func(value string) bool { return wanted.match(value, operator == "StringLike") })
			if !ok {
				return false
			}
		}
	}
	return true
}

// values returns the values of a key. Keys have no case.
func (r Request) values(wanted string) []string {
	for key, values := range r.Keys {
		if strings.EqualFold(key, wanted) {
			return values
		}
	}
	return nil
}

// match reports whether one of the patterns fits a value.
func (l list) match(value string, wildcards bool) bool {
	return slices.ContainsFunc(l, func(pattern string) bool {
		if !strings.ContainsAny(pattern, "*?$") {
			return pattern == value
		}
		return compile(pattern, wildcards).MatchString(value)
	})
}

// compile returns a pattern as a regular expression: ${*}, ${?} and ${$} are characters, * and ?
// may be wildcards. Any other variable has no value, so nothing fits it.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
func compile(pattern string, wildcards bool) *regexp.Regexp {
	parts := regexp.MustCompile(`(?s)\$\{[*?$]\}|\$\{|.`)
	expression := parts.ReplaceAllStringFunc(pattern, func(part string) string {
		switch {
		case part == "${":
			return `[^\x00-\x{10FFFF}]`
		case len(part) > 1 && part[0] == '$':
			return regexp.QuoteMeta(part[2:3])
		case part == "*" && wildcards:
			return ".*"
		case part == "?" && wildcards:
			return "."
		}
		return regexp.QuoteMeta(part)
	})
	return regexp.MustCompile(`(?s)\A(?:` + expression + `)\z`)
}
