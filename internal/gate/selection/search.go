package selection

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sys/unix"
)

// maxProblems bounds how many problems are kept of one archive.
const maxProblems = 100

// search collects the files of one archive: the runner's fileArchiver.
type search struct {
	*Project
	ctx      context.Context // of this one search
	vars     Variables
	exclude  []string         // patterns, relative to the project
	taken    map[string]entry // by clean path
	walked   map[string]bool  // folders that were walked through
	problems []Problem
}

// upload collects what goes into the archive u.
func (s *search) upload(u Upload) {
	for _, pattern := range u.Exclude {
		rel, err := s.relative(s.expand(pattern))
		if err != nil {
			break // the runner looks at no exclude after such a one
		}
		s.exclude = append(s.exclude, rel)
	}
	for _, pattern := range u.Paths {
		s.path(s.expand(pattern))
	}
	if u.Untracked {
		s.untracked()
	}
}

// expand expands a pattern. One that cannot be expanded as the runner does it is
// a problem.
func (s *search) expand(pattern string) string {
	expanded, err := s.vars.expand(pattern)
	if err != nil {
		s.problem(Problem{pattern, err, true})
	}
	return expanded
}

// relative returns a pattern relative to the project, or an error if it begins
// outside: fileArchiver.findRelativePathInProject.
func (s *search) relative(pattern string) (string, error) {
	if filepath.Clean(pattern) == s.dir {
		return ".", nil
	}
	base, rest := pattern, ""
	if strings.ContainsAny(pattern, "*?[{") {
		base, rest = doublestar.SplitPattern(pattern)
	}
	rel, err := filepath.Rel(s.dir, s.abs(base))
	if err != nil {
		return "", err
	}
	if rel == ".." || strings.HasPrefix(rel, "../") {
		return "", errors.New("not a path in the project")
	}
	return filepath.Join(rel, rest), nil
}

// abs returns name as an absolute path.
func (s *search) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(s.dir, name)
}

// path takes what one pattern matches, folders with all that is in them.
func (s *search) path(pattern string) {
	if pattern == "" {
		return
	}
	rel, err := s.relative(pattern)
	if err != nil {
		return // outside of the project: the runner warns and goes on
	}
	matches, err := s.glob(rel)
	if err != nil {
		return // a bad pattern, the same
	}
	for _, match := range matches {
		if name, ok := s.inside(match); ok {
			s.walk(name)
		}
	}
}

// inside returns the clean path from the project of what is named from there. By
// "*/../.." a pattern can lead out after its check: of folders that the project
// lies in the runner takes the project alone, and of all else outside nothing.
func (s *search) inside(name string) (string, bool) {
	abs := s.abs(name)
	if strings.HasPrefix(s.dir+"/", strings.TrimSuffix(abs, "/")+"/") {
		return ".", true
	}
	return strings.CutPrefix(abs, strings.TrimSuffix(s.dir, "/")+"/")
}

// glob returns the paths that a pattern relative to the project matches:
// doublestar.FilepathGlob, which no file system can be given to.
func (s *search) glob(pattern string) ([]string, error) {
	base, rest := doublestar.SplitPattern(pattern)
	if rest == "." || rest == ".." {
		return []string{pattern}, nil
	}
	matches, err := doublestar.Glob(globFS{s, base}, rest, doublestar.WithNoFollow())
	for i := range matches {
		matches[i] = path.Join(base, matches[i])
	}
	return matches, err
}

// walk takes name and, if it is a folder, all that is in it: filepath.Walk.
func (s *search) walk(name string) {
	if s.ctx.Err() != nil || s.walked[name] {
		return
	}
	e, err := s.lstat(name)
	if err != nil {
		s.unreadable(name, err)
		return
	}
	s.take(name, e)
	if !e.mode.IsDir() {
		return
	}
	s.walked[name] = true
	children, err := s.readDir(name)
	if err != nil {
		s.unreadable(name, err)
		return
	}
	for _, child := range children {
		s.walk(filepath.Join(name, child.Name()))
	}
}

// take takes what is at name unless it is excluded: fileArchiver.process.
func (s *search) take(name string, e entry) {
	for _, pattern := range s.exclude {
		if excluded, err := doublestar.Match(pattern, name); err == nil && excluded {
			return
		}
	}
	s.taken[name] = e
}

// unreadable keeps that name cannot be looked at, if it is there. The runner
// cannot either.
func (s *search) unreadable(name string, err error) {
	for _, harmless := range []error{fs.ErrNotExist, unix.ENOTDIR, unix.ELOOP} {
		if errors.Is(err, harmless) {
			return
		}
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	s.problem(Problem{Path: name, Err: err})
}

// problem keeps p, once. Of those that a tree makes, which may be any number, it
// keeps the first few.
func (s *search) problem(p Problem) {
	if !p.Missed && len(s.problems) >= maxProblems {
		return
	}
	if !slices.ContainsFunc(s.problems, func(q Problem) bool { return q.Path == p.Path && q.Missed == p.Missed }) {
		s.problems = append(s.problems, p)
	}
}
