package account

// LookupIn is Lookup with the paths of other files.
var LookupIn = lookup

// LoginIn is Login with the path of another file.
var LoginIn = login
