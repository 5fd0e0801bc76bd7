package scan

// CopySpool is copySpool.
var CopySpool = copySpool
