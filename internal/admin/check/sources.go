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

// advising is what settings of a source are about which an admin must look at something that
// nobody can look at without a credential.
type advising interface {
	// Advice returns what may be wrong, and how to look at it.
	Advice() (what, do string)
}

// checkSources checks what sources need of this host, such as a helper, and says what else to look at.
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
			if s, ok := gift.Settings.(advising); ok {
				what, do := s.Advice()
				findings = append(findings, look(idSourceAdvice, fmt.Sprintf("source %q of %s", gift.Name, t.Name), what, do))
			}
		}
	}
	return findings
}

// checkLocal checks what a source needs of this host.
func checkLocal(area string, s local) Finding {
	needed, err := s.CheckHost()
	if err != nil {
		return fix(idSourceHost, area, what(err).Error(), "correct it, or the source in the policy file: until then its jobs get no credentials")
	}
	return ok(area, needed)
}
