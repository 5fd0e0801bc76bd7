package selection

import (
	"context"
	"iter"
	"slices"
)

// Set is the set of files that the runner uploads. Its memory does not grow with their
// number.
type Set struct {
	Count    int // of Files
	Problems []Problem

	pile     pile
	parts    []part // in order of archives
	archives []archive
	most     int
}

// part is one of the two ways by which an archive takes files: by patterns, or because git
// does not track them. A file can be taken in both ways.
type part struct {
	archive int
	dropped bool // the runner takes none of these files
}

// Select returns the files that the runner would upload. It leaves out files that vanish
// meanwhile. If there are more than MaxFiles, it returns the first of them and a Problem
// with ErrFiles. It fails only if ctx ends. The caller must close the set.
func (p *Project) Select(ctx context.Context, uploads []Upload, vars Variables) (*Set, error) {
	set := &Set{pile: pile{dir: p.Temp}}
	for _, u := range uploads {
		s := &search{Project: p, ctx: ctx, vars: vars, set: set, walked: map[string]bool{}}
		set.archives = append(set.archives, newArchive(u, vars))
		s.addUpload(u)
		if err := ctx.Err(); err != nil {
			set.Close()
			return nil, err
		}
		set.Problems = append(set.Problems, s.problems...)
	}
	if set.review(p.MaxFiles) {
		set.most = int(p.MaxFiles)
		set.addProblem(tooMany())
	}
	return set, nil
}

// Close frees what the set has on disk.
func (s *Set) Close() { s.pile.close() }

// newPart begins a part of the last archive, and returns its number.
func (s *Set) newPart() int {
	s.parts = append(s.parts, part{archive: len(s.archives) - 1})
	return len(s.parts) - 1
}

// addProblem adds p unless it is known.
func (s *Set) addProblem(p Problem) {
	if !slices.ContainsFunc(s.Problems, func(q Problem) bool { return q.Path == p.Path && q.Missed == p.Missed }) {
		s.Problems = append(s.Problems, p)
	}
}

// taken is a file with the archives that take it, in their order.
type taken struct {
	path string
	by   []record
}

// each calls yield for each file that an archive takes, sorted by path, until it returns
// false.
func (s *Set) each(yield func(taken) bool) {
	var now taken
	err := s.pile.each(func(r record) bool {
		if r.path != now.path && len(now.by) > 0 {
			if !yield(now) {
				now.by = nil
				return false
			}
			now.by = now.by[:0]
		}
		now.path = r.path
		part := s.parts[r.part]
		if r.part = part.archive; !part.dropped && (len(now.by) == 0 || now.by[len(now.by)-1].part != r.part) {
			now.by = append(now.by, r)
		}
		return true
	})
	if len(now.by) > 0 {
		yield(now)
	}
	if err != nil {
		s.addProblem(Problem{Path: ".", Err: err, Missed: true})
	}
}

// review counts the files of each archive, and reports whether they are more than most.
func (s *Set) review(most int64) (exceeded bool) {
	s.each(func(t taken) bool {
		read := false
		for _, r := range t.by {
			read = s.archives[r.part].review(r) || read
		}
		if read {
			s.Count++
		}
		return true
	})
	before := 0
	for i := range s.archives {
		a := &s.archives[i]
		exceeded = exceeded || most > 0 && int64(before+a.taken) > most
		before += a.read()
	}
	return exceeded
}

// Files returns the files by path. A path occurs twice if both a link's text and its target
// are uploaded. If not all files can be listed, there is a Problem more after that.
func (s *Set) Files() iter.Seq[File] {
	return func(yield func(File) bool) {
		left := s.most
		s.each(func(t taken) bool {
			for _, f := range s.filesOf(t) {
				if !yield(f) {
					return false
				}
			}
			left--
			return left != 0
		})
	}
}

// filesOf returns what the archives read of a file: itself, or the target of a link, or
// both. Each is named after the first archive that reads it.
func (s *Set) filesOf(t taken) []File {
	var files []File
	for _, follow := range []bool{false, true} {
		for _, r := range t.by {
			a := &s.archives[r.part]
			if a.follows() == follow && a.reads(r) {
				files = append(files, File{Path: t.path, What: a.what, Follow: follow})
				break
			}
		}
	}
	return files
}
