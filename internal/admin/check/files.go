package check

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/fault"
	"rolecall/internal/tenant/policyfile"
)

// maxSessionPolicy is the longest session policy that STS accepts, in characters.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const maxSessionPolicy = 2048

// readPolicy reads the policy file.
func (h *host) readPolicy() []Finding {
	const area = "policy file"
	var err error
	h.policy, err = policyfile.Load(h.Policy, h.Providers...)
	if h.ByDefault && h.Expected == "" && errors.Is(err, fs.ErrNotExist) {
		return []Finding{look(idNoPolicy, area, h.Policy+" does not exist: only runners with --no-policy run jobs, and each job names its tenant and role",
			"write one, unless all people who can run jobs here trust each other")}
	}
	if err != nil {
		return policyProblems(area, what(err))
	}
	h.settings = h.policy.Settings()
	return []Finding{ok(area, fmt.Sprintf("%s has %d tenants", h.Policy, len(h.policy.Tenants()))), h.checkHash(area)}
}

// checkHash says which hash the policy file has, which is in the audit log too. All hosts of a
// fleet have the same.
func (h *host) checkHash(area string) Finding {
	if hash := h.policy.Hash(); h.Expected != "" && hash != h.Expected {
		return fix(idPolicyHash, area, fmt.Sprintf("%s has the hash %s, and %s is expected", h.Policy, hash, h.Expected), "give this host the policy file of the fleet, or correct --expect-policy")
	}
	return ok(area, h.Policy+" has the hash "+h.policy.Hash())
}

// policyProblems returns the errors of a policy file, each as a finding.
func policyProblems(area string, err error) []Finding {
	var findings []Finding
	for line := range strings.Lines(strings.TrimPrefix(err.Error(), "policy file: ")) {
		findings = append(findings, unsafe(idBadPolicy, area, errors.New(strings.TrimSpace(line)), "correct it: until then no job gets credentials"))
	}
	return findings
}

// what returns an error without its advice: a finding has advice of its own.
func what(err error) error {
	if broken, ok := errors.AsType[*fault.Error](err); ok {
		return broken.What
	}
	return err
}

// checkFiles checks the files that the policy file names.
func (h *host) checkFiles(context.Context) []Finding {
	findings := slices.Concat(
		checkFile("gitlab.ca_bundle", h.settings.GitLab.CABundle, checkBundle),
		checkFile("sts.ca_bundle", grant.ServerOf(h.settings).CABundle, checkBundle),
	)
	if h.policy == nil {
		return findings
	}
	findings = append(findings, h.checkHandover()...)
	seen := map[string]bool{}
	for _, t := range h.policy.Tenants() {
		for _, given := range grant.All(t.Gifts) {
			if !seen[given.SessionPolicyFile] {
				findings = append(findings, checkFile("session_policy_file", given.SessionPolicyFile, checkSessionPolicy)...)
			}
			seen[given.SessionPolicyFile] = true
		}
	}
	return findings
}

// checkFile checks the file that the policy file names under key; path may be empty.
func checkFile(key, path string, check func(content []byte) error) []Finding {
	if path == "" {
		return nil
	}
	content, err := policyfile.ReadNamed(key, path)
	err = what(err)
	if err == nil {
		if err = check(content); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return []Finding{unsafe(idNamedFile, key, err, "correct the file, or "+key+" in the policy file")}
	}
	return []Finding{ok(key, path)}
}

// checkBundle returns an error unless content has a certificate.
func checkBundle(content []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return errors.New("it has no certificate in PEM")
	}
	return nil
}

// checkSessionPolicy returns an error if STS does not accept content as a session
// policy.
func checkSessionPolicy(content []byte) error {
	var policy map[string]any
	if err := json.Unmarshal(content, &policy); err != nil {
		return errors.New("it is not a JSON object")
	}
	if n := utf8.RuneCount(content); n > maxSessionPolicy {
		return fmt.Errorf("it has %d characters, STS accepts %d", n, maxSessionPolicy)
	}
	return nil
}
