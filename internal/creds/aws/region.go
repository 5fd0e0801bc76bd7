package aws

import "strings"

// IsRegion reports whether text is empty or has the form of a region's name: at most 32
// characters a-z, 0-9 and -. It knows no list of regions, so new ones work. A zone is no
// region.
func IsRegion(text string) bool { return len(text) <= 32 && isName(text) && RegionOfZone(text) == "" }

// isName reports whether text has only characters of the names of regions and zones.
func isName(text string) bool {
	return strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// RegionOfZone returns the region of an availability zone or a local zone, such as
// eu-west-1 of eu-west-1a and us-west-2 of us-west-2-lax-1a. It returns nothing for any
// other text.
//
// https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html
func RegionOfZone(text string) string {
	end := len(text) - 1
	if len(text) > 64 || !isName(text) || end < 1 || !isNumber(text[end-1:end]) || !isName(text[end:]) || isNumber(text[end:]) || text[end] == '-' {
		return ""
	}
	parts := strings.Split(text[:end], "-")
	for i, part := range parts {
		if i >= 2 && isNumber(part) {
			return strings.Join(parts[:i+1], "-")
		}
	}
	return ""
}

// isNumber reports whether text consists of digits.
func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
