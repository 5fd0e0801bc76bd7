// Package addmask has the type signatures that GitLab Runner needs of a package that is not public.
package addmask

import "io"

type Store interface {
	List() ([]string, error)
	Add(string) error
}

type AddMask struct{ w [2]io.Writer }

func New(_ Store, stdout, stderr io.Writer) (*AddMask, error) {
	return &AddMask{[2]io.Writer{stdout, stderr}}, nil
}
func (a *AddMask) Get(i int) io.Writer { return a.w[i] }
func (a *AddMask) Close() error        { return nil }
