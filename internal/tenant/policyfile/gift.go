package policyfile

import (
	"errors"
	"fmt"

	"rolecall/internal/tenant"
)

// checkSets reports a variable that every job gets from this source, and from one of those before,
// whose variables are sets.
func (t Table) checkSets(settings any, sets map[string]string) {
	setter, ok := settings.(Setter)
	if !ok {
		return
	}
	names, always := setter.Sets()
	for _, name := range names {
		if other, taken := sets[name]; taken && always {
			t.FailTable(fmt.Errorf("it sets %s, and so does source %s", name, tenant.Quote(other)))
		}
		if always {
			sets[name] = t.Text("name")
		}
	}
}

// setToken reads which ID token a source has of its own.
func (t Table) setToken(to *tenant.Gift) {
	Set(t, "id_token", readVariable, &to.IDToken)
	Set(t, "audience", readAudience, &to.Audience)
	if t.Own("id_token") != t.Own("audience") {
		t.FailTable(errors.New("id_token and audience go together: an ID token of its own has an audience of its own; set both, or none"))
	}
}
