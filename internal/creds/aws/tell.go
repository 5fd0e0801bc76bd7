package aws

import (
	"fmt"

	"rolecall/internal/creds"
)

// Tells returns who a script is with a credential that has those facts, such as "account
// 111122223333, role deploy", and what the job's author must know: each note is a sentence
// on one line.
func Tells(facts creds.Facts) (who string, notes []string) {
	if role, err := ParseRole(facts.Get(RoleFact)); err == nil {
		who = "role " + role.Name()
		if role.Account != "" {
			who = fmt.Sprintf("account %s, %s", role.Account, who)
		}
	}
	if refused := facts.Get(RefusedDurationFact); refused != "" {
		notes = append(notes, fmt.Sprintf("the role does not allow sessions of %s: raise its maximum session duration if the job needs longer", refused))
	}
	return who, notes
}
