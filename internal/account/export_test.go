package account

// LookupIn is Lookup in other files.
var LookupIn = lookup
