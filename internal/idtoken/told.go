package idtoken

import (
	"fmt"
	"strings"
)

// maxTold bounds how much of a claim is told, in bytes.
const maxTold = 300

// Told returns the claims that servers check, one on a line, for people.
func (c Claims) Told() string {
	return fmt.Sprintf("sub  %s\naud  %s\niss  %s", Line(c.Subject), Line(strings.Join(c.Audience, ", ")), Line(c.Issuer))
}

// Line returns a claim as a part of a line: cut, and in quotes if it has other characters than
// those of GitLab's claims.
func Line(claim string) string {
	if len(claim) > maxTold {
		claim = claim[:maxTold] + "..."
	}
	if quoted := fmt.Sprintf("%q", claim); len(quoted) != len(claim)+2 {
		return quoted
	}
	return claim
}
