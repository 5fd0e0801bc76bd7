package check

import (
	"context"
	"fmt"
)

// local is what settings of a source are that need something of this host.
type local interface {
	// CheckHost returns what they need, and an error if it cannot be used.
	CheckHost() (what string, err error)
}

// checkSources checks what sources need of this host, such as a helper.
func (h *host) checkSources(context.Context) []Finding {
	if h.policy == nil {
		return nil
	}
	var findings []Finding
	for _, t := range h.policy.Tenants() {
		for _, gift := range t.Gifts {
			if s, ok := gift.Settings.(local); ok {
				findings = append(findings, checkLocal(fmt.Sprintf("source %q of %s", gift.Name, t.Name), s))
			}
		}
	}
	return findings
}

// checkLocal checks what a source needs of this host.
func checkLocal(area string, s local) Finding {
	needed, err := s.CheckHost()
	if err != nil {
		return fix(area, what(err).Error(), "correct it, or the source in the policy file: until then its jobs get no credentials")
	}
	return ok(area, needed)
}
