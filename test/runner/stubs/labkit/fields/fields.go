// Package fields has the type signatures that GitLab Runner needs of a package that is not public.
package fields

const (
	HTTPStatusCode = "status"
	DurationS      = "duration_s"
)

type Deprecation struct{ Standard string }

var (
	Deprecated     = map[string]Deprecation{}
	VariantVersion = map[string]int{}
)
