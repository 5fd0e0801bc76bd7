package selection

import (
	"fmt"
	"io"
	"os"
)

// Expand expands a pattern, for the tests.
func Expand(v *Variables, pattern string) (string, error) { return v.expand(pattern) }

// Names is a writer that hands on names of files, each with a NUL byte behind it.
func Names(take func(name string) error) io.Writer { return &names{take: take} }

// Pile is a pile of paths, for the tests.
type Pile struct{ pile }

// NewPile returns a pile with its file in dir.
func NewPile(dir string) *Pile { return &Pile{pile{dir: dir}} }

// Add adds a path of a part.
func (p *Pile) Add(path string, part int) { p.add(record{path: path, part: part}) }

// Exceeds reports whether there are more than most paths.
func (p *Pile) Exceeds(most int) bool { return p.exceeds(most) }

// All returns the paths, each with its part.
func (p *Pile) All() (all []string, err error) {
	err = p.each(func(r record) bool { all = append(all, fmt.Sprint(r.path, " ", r.part)); return true })
	return all, err
}

// File returns the file of a pile; nil: there is none.
func (p *Pile) File() *os.File { return p.file }

// Held returns how many bytes of runs are in memory.
func (p *Pile) Held() (n int) {
	for _, r := range p.runs {
		n += len(r.rest)
	}
	return n
}
