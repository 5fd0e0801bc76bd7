package aws

import (
	"fmt"
	"strings"

	"rolecall/internal/creds"
)

// Tells returns who a script is with a credential that has those facts, such as "account
// 111122223333, role deploy", and what the job's author must know: each note is a sentence
// on one line. A region that neither the job nor its tenant names is told too.
func Tells(facts creds.Facts) (who string, notes []string) {
	var parts []string
	if role, err := ParseRole(facts.Get(RoleFact)); err == nil {
		if role.Account != "" {
			parts = append(parts, "account "+role.Account)
		}
		parts = append(parts, "role "+role.Name())
	}
	region := facts.Get(RegionFact)
	switch RegionOf(facts.Get(RegionOfFact)) {
	case RegionOfService:
		parts = append(parts, fmt.Sprintf("region %s (of the runner's service)", region))
	case RegionOfPartition:
		notes = append(notes, fmt.Sprintf("the region %s is only a default: neither the job nor the runner names one; set AWS_REGION in the job", region))
	}
	if refused := facts.Get(RefusedDurationFact); refused != "" {
		notes = append(notes, fmt.Sprintf("the role does not allow sessions of %s: raise its maximum session duration if the job needs longer", refused))
	}
	return strings.Join(parts, ", "), notes
}
