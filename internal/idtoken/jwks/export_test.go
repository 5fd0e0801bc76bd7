package jwks

// What the fuzz test calls.
var (
	ParseKeys  = parseKeys
	ParseCache = parseCache
	Usable     = usable
)

// CacheName returns the name of a source's cache.
func CacheName(s Source) string { return s.name() }
