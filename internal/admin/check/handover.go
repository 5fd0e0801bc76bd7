package check

import (
	"fmt"

	"rolecall/internal/handover/seal"
	"rolecall/internal/tenant"
)

// checkHandover checks the files that the store of handed-over values needs, and says which tenants
// do not reach it.
func (h *host) checkHandover() []Finding {
	all := h.settings.Handover
	findings := checkFile("handover.ca_bundle", all.CABundle, checkBundle)
	for _, path := range all.SealKeyFiles {
		findings = append(findings, checkFile("handover.seal_key_files", path, checkSealKey)...)
	}
	for _, t := range h.policy.Tenants() {
		findings = append(findings, checkHandingOver(t)...)
	}
	return findings
}

// checkHandingOver says whether the jobs of a tenant reach the store.
func checkHandingOver(t tenant.Tenant) []Finding {
	if t.Handover.Off == "" {
		return nil
	}
	return []Finding{look(idHandoverOff, "handover", fmt.Sprintf("jobs of tenant %s hand over nothing: %s", t.Name, t.Handover.Off),
		"give the tenant such credentials, or name them by source in [tenant.handover], if its jobs are to hand over values")}
}

// checkSealKey returns an error unless content is a key.
func checkSealKey(content []byte) error {
	_, err := seal.ParseKey(content)
	return err
}
