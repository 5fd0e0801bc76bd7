package scan

import (
	"path"
	"slices"
	"strings"

	"rolecall/internal/mask"
)

// place is what was found in one place of a file.
type place struct {
	found   []bool   // for each secret of the scan: whether it was found
	issued  []string // what Options.Issued found, each once
	foreign string   // what Options.Foreign found first
	line    int      // of foreign
	strict  bool     // foreign is in a file that Options.Strict names
}

// hasSecret reports whether a place has what Options.Secrets or Options.Issued look for.
func (p *place) hasSecret() bool { return len(p.issued) > 0 || slices.Contains(p.found, true) }

// covers reports whether p has all that other has.
func (p *place) covers(other *place) bool {
	for i := range other.found {
		if other.found[i] && !p.found[i] {
			return false
		}
	}
	for _, kind := range other.issued {
		if !slices.Contains(p.issued, kind) {
			return false
		}
	}
	return (other.foreign == "" || p.foreign != "") && (!other.strict || p.strict)
}

// at returns the place that the first depth names of the path lead to, to add to it. Of a
// file with many places, all others are one.
func (w *worker) at(depth int) *place {
	inside := w.placeOf(depth)
	if w.places[inside] == nil && len(w.places) >= maxPlaces {
		inside = ""
	}
	if w.places == nil {
		w.places = make(map[string]*place)
	}
	if w.places[inside] == nil {
		w.places[inside] = &place{found: make([]bool, len(w.secrets))}
	}
	return w.places[inside]
}

// addFound adds the secrets that a finder has found to the current place.
func (w *worker) addFound(finder *mask.Finder) {
	p := w.at(len(w.path))
	for i, also := range finder.Found() {
		p.found[i] = p.found[i] || also
	}
}

// addIssued adds what Options.Issued has found.
func (w *worker) addIssued(depth int, kind string) {
	if p := w.at(depth); !slices.Contains(p.issued, kind) {
		p.issued = append(p.issued, kind)
	}
}

// addForeign adds what Options.Foreign has found on a line.
func (w *worker) addForeign(depth int, kind string, line int) {
	p := w.at(depth)
	if p.foreign == "" {
		p.foreign, p.line = kind, line
	}
	p.strict = p.strict || w.isStrict(depth)
}

// isStrict reports whether Options.Strict names the file or member that the first depth
// names of the path lead to.
func (w *worker) isStrict(depth int) bool {
	return w.options.Strict != nil && w.options.Strict(w.fileName(depth))
}

// fileName returns the name, without folders, of the file or member that the first depth
// names of the path lead to.
func (w *worker) fileName(depth int) string {
	if depth == 0 {
		return path.Base(w.name)
	}
	return path.Base(w.path[depth-1])
}

// isVague reports whether places inside the place inside have the same: they say more
// precisely where it is.
func (w *worker) isVague(inside string, p *place) bool {
	prefix := ""
	if inside != "" {
		prefix = inside + separator
	}
	for other, also := range w.places {
		if other != inside && strings.HasPrefix(other, prefix) && also.covers(p) {
			return true
		}
	}
	return false
}

// findings returns what was found in the file: what must not be uploaded, and what the
// admin may allow. Of a place with a secret, other keys are not named: they need no
// decision.
func (w *worker) findings() (findings, foreign []Finding) {
	for inside, p := range w.places {
		if w.isVague(inside, p) {
			continue
		}
		f := Finding{Name: w.masked(w.name), Label: w.label, Inside: inside}
		f.Hidden = f.Name != w.name
		if p.hasSecret() {
			f.Kinds = w.kindsOf(p)
			findings = append(findings, f)
			continue
		}
		f.Kinds, f.Line = []string{p.foreign}, p.line
		if p.strict {
			findings = append(findings, f)
		} else {
			foreign = append(foreign, f)
		}
	}
	return findings, foreign
}

// kindsOf returns the kinds of the secrets in a place, sorted, each once.
func (w *worker) kindsOf(p *place) []string {
	kinds := slices.Clone(p.issued)
	for i, secret := range w.secrets {
		if p.found[i] {
			kinds = append(kinds, secret.Kind)
		}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}
