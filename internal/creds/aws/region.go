package aws

import "strings"

// IsRegion reports whether text is empty or has the form of a region's name: at most 32
// characters a-z, 0-9 and -. It knows no list of regions, so new ones work.
func IsRegion(text string) bool {
	return len(text) <= 32 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
