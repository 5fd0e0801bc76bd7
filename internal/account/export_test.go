package account

// LookupIn is Lookup with the paths of other files.
var LookupIn = lookup
