// Package comparison holds what a role of AWS really trusts against what the rules of a policy file
// say: by what policies mean, and not by how they are written.
package comparison

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/admin/trust"
)

// The kinds of findings. What is wider is found first.
const (
	Wider    = "wider"    // somebody may assume the role whom the policy file does not mean
	Missing  = "missing"  // a job of the policy file cannot assume the role
	Narrower = "narrower" // the role asks for more than the policy file
)

// Finding is a difference.
type Finding struct {
	Kind string `json:"kind"`
	Text string `json:"text"`

	rank int // of what is wider: what lets most people in comes first
}

// atom is what one statement allows, for one principal, action and value of each key.
type atom struct {
	principal, action string
	keys              map[string]pattern // by key, in lower case
	unknown           []string           // conditions that are not compared, which can only narrow
}

// Compare returns how a role differs from what a plan says of it. Host is the issuer without its
// scheme.
func Compare(host string, want trust.Role, got Actual) []Finding {
	wanted, actual := atomsOf(statementsOf(want.Policy)), atomsOf(got.statements)
	var found []Finding
	for _, a := range actual {
		if !covered(a, wanted) {
			found = append(found, wider(strings.ToLower(host), a, wanted))
		}
		for _, text := range a.unknown {
			found = append(found, Finding{Kind: Narrower, Text: "it also asks for " + text + ", which is not compared"})
		}
	}
	for _, w := range wanted {
		if !covered(w, actual) {
			found = append(found, missing(w, actual))
		}
	}
	found = append(found, got.notes...)
	if got.Seconds > 0 && got.Seconds < want.Seconds {
		found = append(found, Finding{Kind: Missing, Text: fmt.Sprintf("its maximum session duration is %d seconds, the policy file needs %d", got.Seconds, want.Seconds)})
	}
	return sorted(found)
}

// sorted returns the findings once each, the widest first.
func sorted(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int { return cmp.Or(a.place()-b.place(), a.rank-b.rank) })
	return slices.CompactFunc(all, func(a, b Finding) bool { return a.Kind == b.Kind && a.Text == b.Text })
}

// place returns the place of the finding's kind.
func (f Finding) place() int { return slices.Index([]string{Wider, Missing, Narrower}, f.Kind) }

// covered reports whether one of the others allows all that an atom allows.
func covered(a atom, others []atom) bool {
	return slices.ContainsFunc(others, func(b atom) bool { return b.allows(a) })
}

// allows reports whether the atom allows all that another one allows.
func (b atom) allows(a atom) bool {
	if b.principal != a.principal || !glob(b.action).covers(glob(a.action)) {
		return false
	}
	for key, value := range b.keys {
		if has, ok := a.keys[key]; !ok || !value.covers(has) {
			return false
		}
	}
	return true
}

// wider says in what an atom of a role goes beyond those that are wanted.
func wider(host string, a atom, wanted []atom) Finding {
	same := func(w atom) bool { return w.principal == a.principal }
	_, hasSub := a.keys[host+":sub"]
	_, hasAud := a.keys[host+":aud"]
	ours := strings.HasSuffix(a.principal, ":oidc-provider/"+host)
	switch {
	case strings.HasSuffix(a.principal, " *"):
		return Finding{Wider, "it trusts every principal of AWS", 0}
	case ours && !hasSub:
		return Finding{Wider, fmt.Sprintf("no condition on %s:sub: every project of the GitLab server may assume the role", host), 1}
	case ours && a.keys[host+":sub"].any(len("project_path:")):
		return Finding{Wider, fmt.Sprintf("the condition on %s:sub allows every project: %s", host, a.keys[host+":sub"]), 2}
	case !slices.ContainsFunc(wanted, same):
		return Finding{Wider, "it trusts " + a.principal + ", which the policy file does not", 3}
	case ours && !hasAud:
		return Finding{Wider, fmt.Sprintf("no condition on %s:aud: a token for any audience may assume the role", host), 4}
	case !slices.ContainsFunc(wanted, func(w atom) bool { return same(w) && glob(w.action).covers(glob(a.action)) }):
		return Finding{Wider, fmt.Sprintf("it allows %s to %s", a.action, a.principal), 5}
	}
	return Finding{Wider, "it allows more: " + a.String(), 6}
}

// missing says what of an atom that is wanted a role does not allow.
func missing(w atom, actual []atom) Finding {
	for _, a := range actual {
		if a.principal != w.principal || !glob(a.action).covers(glob(w.action)) {
			continue
		}
		for key := range a.keys {
			if _, ok := w.keys[key]; !ok {
				return Finding{Kind: Narrower, Text: fmt.Sprintf("it also asks for %s: %s", key, a.keys[key])}
			}
		}
	}
	return Finding{Kind: Missing, Text: "it does not allow " + w.String()}
}

// String returns what the atom allows, for people.
func (a atom) String() string {
	text := a.action + " to " + a.principal
	for _, key := range sortedKeys(a.keys) {
		text += fmt.Sprintf(", %s %s", key, a.keys[key])
	}
	return text
}
