// Package ast has the type signatures that GitLab Runner needs of a package that is not public.
package ast

type Visitor interface {
	Enter(Expr) (Visitor, error)
	Exit(Expr) (Expr, error)
}

type Expr interface {
	Walk(Visitor) (Expr, error)
}

type Template struct{}

func (*Template) Walk(Visitor) (Expr, error) { return nil, nil }
