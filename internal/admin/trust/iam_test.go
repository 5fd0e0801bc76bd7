package trust_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// iam is a trust policy as IAM reads it, as far as these have conditions.
type iam struct {
	Version   string
	Statement []struct {
		Effect    string
		Principal struct{ Federated string }
		Action    string
		Condition map[string]map[string]any
	}
}

func readIAM(t *testing.T, document []byte) iam {
	t.Helper()
	var policy iam
	if err := json.Unmarshal(document, &policy); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	if policy.Version != "2012-10-17" || len(policy.Statement) != 1 || policy.Statement[0].Effect != "Allow" ||
		policy.Statement[0].Action != "sts:AssumeRoleWithWebIdentity" {
		t.Fatalf("the statement is not as IAM wants it: %s", document)
	}
	return policy
}

// allows reports whether a token with these claims may assume the role. All
// conditions must hold, each for one of its values.
func (p iam) allows(host, aud, sub string) bool {
	claims := map[string]string{host + ":aud": aud, host + ":sub": sub}
	for operator, conditions := range p.Statement[0].Condition {
		for key, values := range conditions {
			if !anyHolds(operator, claims[key], values) {
				return false
			}
			delete(claims, key)
		}
	}
	return len(claims) == 0 // a claim without a condition is a hole
}

func anyHolds(operator, claim string, values any) bool {
	list, ok := values.([]any)
	if !ok {
		list = []any{values}
	}
	for _, value := range list {
		if like(elements(value.(string), operator == "StringLike"), []rune(claim)) {
			return true
		}
	}
	return false
}

// Elements of a pattern that are no characters.
const (
	anyRun = -1
	anyOne = -2
)

// elements reads a value of a condition: ${*}, ${?} and ${$} are characters, and *
// and ? wildcards where the operator is StringLike.
func elements(value string, wildcards bool) []rune {
	var pattern []rune
	for value != "" {
		switch {
		case strings.HasPrefix(value, "${") && len(value) > 3 && strings.ContainsRune("*?$", rune(value[2])) && value[3] == '}':
			pattern = append(pattern, rune(value[2]))
			value = value[4:]
			continue
		case strings.HasPrefix(value, "${"):
			return []rune{-3} // a variable: it has no value here, so nothing matches
		case wildcards && value[0] == '*':
			pattern = append(pattern, anyRun)
		case wildcards && value[0] == '?':
			pattern = append(pattern, anyOne)
		default:
			pattern = append(pattern, rune(value[0]))
		}
		value = value[1:]
	}
	return pattern
}

// like matches by trying everything: patterns and claims of tests are short.
func like(pattern, claim []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(claim) == 0
	case pattern[0] == anyRun:
		return like(pattern[1:], claim) || len(claim) > 0 && like(pattern, claim[1:])
	}
	return len(claim) > 0 && (pattern[0] == anyOne || pattern[0] == claim[0]) && like(pattern[1:], claim[1:])
}
