package selection

import (
	"context"
	"errors"
	"io/fs"
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
	exclude  []string        // patterns, relative to the project
	set      *Set            // gets the files
	part     int             // of set that takes them
	walked   map[string]bool // some of the folders whose content was taken as a whole
	last     folder          // the last one that covers has looked at
	problems []Problem
	listed   int  // files and folders that were listed to match one pattern, or by git
	stopped  bool // there are more files than MaxFiles
}

// ErrFiles says that there are more files than Project.MaxFiles. What was found until then is
// selected.
var ErrFiles = errors.New("more files than the limit")

// exceeds reports whether a number of files is above the bound.
func (s *search) exceeds(files int) bool { return s.MaxFiles > 0 && int64(files) > s.MaxFiles }

// tooMany is the problem that there are more files than MaxFiles.
func tooMany() Problem { return Problem{Path: ".", Err: ErrFiles, Missed: true} }

// stop ends the search, since there are too many files.
func (s *search) stop() {
	s.stopped = true
	s.addProblem(tooMany())
}

// list counts names that were listed, and reports whether the search goes on.
func (s *search) list(names int) bool {
	if s.listed += names; s.exceeds(s.listed) {
		s.stop()
	}
	return !s.ended()
}

// ended reports whether the search is over.
func (s *search) ended() bool { return s.stopped || s.ctx.Err() != nil }

// over returns an error if the search is over.
func (s *search) over() error {
	if s.ended() {
		return ErrFiles
	}
	return nil
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
	s.part = s.set.newPart()
	for _, pattern := range u.Paths {
		s.addPattern(s.expand(pattern))
	}
	if u.Untracked {
		s.part = s.set.newPart()
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
	s.glob(rel)
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
