package script

// Parts that show only on hosts that the tests cannot make.
var (
	SealEach    = sealEach
	Unprotected = unprotected
)
