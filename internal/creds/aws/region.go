package aws

import "strings"

// IsRegion reports whether text may be the name of a region, of at most 32 of a-z,
// 0-9 and -, or is empty. Regions that AWS opens tomorrow are regions too.
func IsRegion(text string) bool {
	return len(text) <= 32 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
