package selection

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// glob walks what a pattern relative to the project matches: the same as
// doublestar.FilepathGlob, but by the project's descriptor and in bounded memory.
//
// That library keeps all that matches, and all names of each folder on the way. So it gets
// only the part of the pattern before the last slash, and sees only folders. The names of
// files, which can be many, are matched as they are read.
func (s *search) glob(pattern string) {
	base, rest := doublestar.SplitPattern(pattern)
	if rest == "." || rest == ".." {
		s.found(pattern)
		return
	}
	folders, last := cutLast(rest)
	alternatives := expandBraces(last)
	if folders == "" || len(alternatives) == 0 || hasOddBraces(rest) || !hasMeta(rest) || !doublestar.ValidatePattern(rest) {
		s.globWhole(base, rest)
		return
	}
	braces := strings.Contains(last, "{")
	fsys := globFS{search: s, base: base, folders: true}
	_ = doublestar.GlobWalk(fsys, folders, func(name string, e fs.DirEntry) error {
		name, slash := strings.CutSuffix(name, "/")
		folder, err := fsys.join("open", name)
		switch {
		case err != nil || !e.IsDir() && !braces:
		case !slash:
			wild := alternatives
			if braces {
				wild = s.lookUp(globFS{search: s, base: base}, name, alternatives)
			}
			s.globIn(folder, wild)
		case slices.Contains(alternatives, "**") && strings.Contains(folders, "**"):
			s.found(folder) // Braces with nothing in them leave a slash. The library takes such a folder, but cannot list it.
		}
		return s.over()
	}, doublestar.WithNoFollow())
}

// globWhole leaves a pattern to the library, and keeps all that matches. It is for a pattern
// without a wildcard and for one with odd braces behind the last slash.
func (s *search) globWhole(base, pattern string) {
	matches, _ := doublestar.Glob(globFS{search: s, base: base}, pattern, doublestar.WithNoFollow())
	for _, match := range matches {
		s.found(path.Join(base, match))
	}
}

// lookUp walks what those of the patterns match in a folder that have no wildcard, and
// returns the others. The library looks such a pattern up if braces stand for it, and takes
// the folder for an empty one.
func (s *search) lookUp(fsys globFS, folder string, patterns []string) (wild []string) {
	for _, pattern := range patterns {
		name := strings.TrimPrefix(folder+"/"+pattern, "./")
		if hasMeta(pattern) {
			wild = append(wild, pattern)
		} else if _, err := fsys.Stat(strings.TrimSuffix(name, "/")); err == nil {
			s.found(path.Join(fsys.base, name))
		}
	}
	return wild
}

// globIn walks what patterns without slashes match in a folder.
func (s *search) globIn(folder string, patterns []string) {
	if slices.Contains(patterns, "**") {
		if s.found(path.Clean(folder)); s.isFolder(folder) {
			return // all in it was walked
		}
	}
	if len(patterns) == 0 {
		return
	}
	s.names(folder, false, func(name string) {
		if s.list(1) && matchesAny(patterns, name) {
			s.found(path.Join(folder, name))
		}
	})
}

// isFolder reports whether name is a folder itself, and not a link to one.
func (s *search) isFolder(name string) bool {
	e, err := s.lstat(path.Clean(name))
	return err == nil && e.mode.IsDir()
}

// matchesAny reports whether one of the patterns matches a name.
func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matches, err := doublestar.Match(pattern, name)
		return err == nil && matches
	})
}

// cutLast cuts a pattern at the last slash, as the library does.
func cutLast(pattern string) (folders, last string) {
	for i := len(pattern) - 1; i >= 0; i-- {
		if pattern[i] == '/' && (i == 0 || pattern[i-1] != '\\') {
			return pattern[:i], pattern[i+1:]
		}
	}
	return ".", pattern
}

// hasMeta reports whether a pattern has a wildcard or braces.
func hasMeta(pattern string) bool {
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[', '{':
			return true
		case '\\':
			i++
		}
	}
	return false
}

// found walks what a pattern has matched.
func (s *search) found(match string) {
	if name, ok := s.inside(match); ok {
		s.walk(name)
	}
}
