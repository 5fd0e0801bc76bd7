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

// maxProblems bounds how many problems of one archive are kept.
const maxProblems = 100

// search collects the files of one archive, as the runner's fileArchiver does.
type search struct {
	*Project
	ctx      context.Context // ends this search
	vars     Variables
	exclude  []string         // patterns, relative to the project
	taken    map[string]entry // by clean path
	walked   map[string]bool  // folders whose content was taken
	problems []Problem
	before   int  // files of other archives
	listed   int  // files and folders that were listed to match one pattern
	stopped  bool // there are more files than MaxFiles
}

// ErrFiles says that there are more files than Project.MaxFiles. What was found until then is
// selected.
var ErrFiles = errors.New("more files than the limit")

// exceeds reports whether a number of files is above the bound.
func (s *search) exceeds(files int) bool { return s.MaxFiles > 0 && int64(files) > s.MaxFiles }

// stop ends the search, since there are too many files.
func (s *search) stop() {
	s.stopped = true
	s.addProblem(Problem{Path: ".", Err: ErrFiles, Missed: true})
}

// addUpload collects the files of the archive u.
func (s *search) addUpload(u Upload) {
	for _, pattern := range u.Exclude {
		rel, err := s.relative(s.expand(pattern))
		if err != nil {
			break // the runner ignores all excludes after this one
		}
		s.exclude = append(s.exclude, rel)
	}
	for _, pattern := range u.Paths {
		s.addPattern(s.expand(pattern))
	}
	if u.Untracked {
		s.takeUntracked()
	}
}

// expand expands a pattern. If that is not possible in the runner's way, it adds a
// problem.
func (s *search) expand(pattern string) string {
	expanded, err := s.vars.expand(pattern)
	if err != nil {
		s.addProblem(Problem{pattern, err, true})
	}
	return expanded
}

// relative returns a pattern relative to the project. It fails if the pattern begins
// outside of the project. It follows fileArchiver.findRelativePathInProject.
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

// abs returns the absolute path of name, which may be relative to the project.
func (s *search) abs(name string) string {
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	return filepath.Join(s.dir, name)
}

// addPattern takes all files and folders that a pattern matches, and the folders' content.
func (s *search) addPattern(pattern string) {
	if pattern == "" {
		return
	}
	rel, err := s.relative(pattern)
	if err != nil {
		return // outside of the project: the runner warns and continues
	}
	s.listed = 0
	matches, err := s.glob(rel)
	if err != nil {
		return // a bad pattern: the runner warns and continues
	}
	for _, match := range matches {
		if name, ok := s.inside(match); ok {
			s.walk(name)
		}
	}
}

// inside returns the clean path of name relative to the project, and false if the runner
// does not take it. A pattern such as "*/../.." can lead out of the project, though it
// passes relative. If it leads to a folder above the project, the runner takes the
// project; it takes nothing else from outside.
func (s *search) inside(name string) (string, bool) {
	abs := s.abs(name)
	if strings.HasPrefix(s.dir+"/", strings.TrimSuffix(abs, "/")+"/") {
		return ".", true
	}
	return strings.CutPrefix(abs, strings.TrimSuffix(s.dir, "/")+"/")
}

// glob returns the paths that a pattern relative to the project matches. It does the same
// as doublestar.FilepathGlob, but by the project's descriptor.
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

// walk takes name and, if it is a folder, its content, as filepath.Walk does.
func (s *search) walk(name string) {
	if s.ctx.Err() != nil || s.stopped || s.walked[name] {
		return
	}
	e, err := s.lstat(name)
	if err != nil {
		s.addUnreadable(name, err)
		return
	}
	s.take(name, e)
	if !e.mode.IsDir() {
		return
	}
	s.walked[name] = true
	children, err := s.readDir(name)
	if err != nil {
		s.addUnreadable(name, err)
		return
	}
	for _, child := range children {
		s.walk(filepath.Join(name, child.Name()))
	}
}

// take takes the file at name unless it is excluded. It follows fileArchiver.process.
func (s *search) take(name string, e entry) {
	for _, pattern := range s.exclude {
		if excluded, err := doublestar.Match(pattern, name); err == nil && excluded {
			return
		}
	}
	if s.taken[name] = e; s.exceeds(s.before + len(s.taken)) {
		s.stop()
	}
}

// addUnreadable adds the problem that name cannot be examined, unless it does not exist.
// The runner cannot read it either.
func (s *search) addUnreadable(name string, err error) {
	if isAbsent(err) {
		return
	}
	var inner *fs.PathError
	if errors.As(err, &inner) {
		err = inner.Err
	}
	s.addProblem(Problem{Path: name, Err: err})
}

// isAbsent reports whether err says that no file can be reached by a path: it does not
// exist, or links on the way lead in a circle.
func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// addProblem adds p unless it is known. A job's tree can cause any number of problems, so
// it adds only the first few of those.
func (s *search) addProblem(p Problem) {
	if !p.Missed && len(s.problems) >= maxProblems {
		return
	}
	if !slices.ContainsFunc(s.problems, func(q Problem) bool { return q.Path == p.Path && q.Missed == p.Missed }) {
		s.problems = append(s.problems, p)
	}
}
