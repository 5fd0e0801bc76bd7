// Package oidc has the type signatures that GitLab Runner needs of a package that is not public.
package oidc

type (
	Option func()
	Source struct{}
)

func WithSkipIfUnsupportedCloud(bool) Option { return func() {} }
func NewSource(...Option) *Source            { return &Source{} }
