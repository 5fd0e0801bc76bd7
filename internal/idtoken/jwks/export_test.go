package jwks

// For the fuzz test.
var (
	ParseKeys  = parseKeys
	ParseCache = parseCache
	Usable     = usable
)

// CacheName returns the name of a source's cache.
func CacheName(s Source) string { return s.name() }
