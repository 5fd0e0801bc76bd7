package check

import (
	"context"
	"fmt"
	"time"

	"rolecall/internal/suspension"
)

// suspendedArea is about tenants that an admin has stopped.
const suspendedArea = "suspended tenants"

// checkSuspended reports tenants that are suspended: an admin may have forgotten them.
func (h *host) checkSuspended(context.Context) []Finding {
	f := suspension.Beside(h.Policy)
	list, err := f.Read()
	if err != nil {
		return []Finding{fix(idSuspensions, suspendedArea, err.Error(), "correct "+f.Path+", or remove it: then no tenant is suspended")}
	}
	var findings []Finding
	for _, s := range list {
		if s.Holds(time.Now()) {
			findings = append(findings, suspended(s))
		}
	}
	if len(findings) == 0 {
		findings = []Finding{ok(suspendedArea, "no tenant is suspended")}
	}
	return findings
}

// suspended is the finding about a suspension.
func suspended(s suspension.Suspension) Finding {
	name, of := fmt.Sprintf("tenant %q is", s.Tenant), s.Tenant
	if s.All {
		name, of = "all tenants are", "--all"
	}
	text := name + " suspended since " + s.Since.UTC().Format(time.RFC3339)
	if s.By != "" {
		text += " by " + s.By
	}
	if s.Reason != "" {
		text += ": " + s.Reason
	}
	return look(idSuspended, suspendedArea, text, "let its jobs run again, when they may\nrolecall resume "+of)
}
