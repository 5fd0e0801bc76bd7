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

// maxSessionPolicy is what STS takes of a session policy, in characters.
//
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
const maxSessionPolicy = 2048

// readPolicy reads the policy file.
func (s *site) readPolicy() []Finding {
	const area = "policy file"
	var err error
	s.policy, err = policyfile.Load(s.Policy, s.Providers...)
	if s.ByDefault && errors.Is(err, fs.ErrNotExist) {
		return []Finding{warn(area, s.Policy+" is not there: only runners with --no-policy run jobs, each of which names its tenant and role itself",
			"write one, unless all who can run jobs here are one circle of trust")}
	}
	if err != nil {
		var broken *fault.Error
		if errors.As(err, &broken) {
			err = broken.What // what to do is said below
		}
		var findings []Finding
		for line := range strings.Lines(strings.TrimPrefix(err.Error(), "policy file: ")) {
			findings = append(findings, fail(area, strings.TrimSpace(line), "correct it: until then no job gets credentials"))
		}
		return findings
	}
	s.settings = s.policy.Settings()
	return []Finding{ok(area, fmt.Sprintf("%s has %d tenants", s.Policy, len(s.policy.Tenants())))}
}

// checkFiles checks the files that the policy file names.
func (s *site) checkFiles(context.Context) []Finding {
	findings := slices.Concat(
		checkFile("gitlab.ca_bundle", s.settings.GitLab.CABundle, checkBundle),
		checkFile("sts.ca_bundle", grant.ServerOf(s.settings).CABundle, checkBundle),
	)
	if s.policy == nil {
		return findings
	}
	seen := map[string]bool{}
	for _, t := range s.policy.Tenants() {
		given, _ := grant.Of(t.Gifts)
		if !seen[given.SessionPolicyFile] {
			findings = append(findings, checkFile("session_policy_file", given.SessionPolicyFile, checkSessionPolicy)...)
		}
		seen[given.SessionPolicyFile] = true
	}
	return findings
}

// checkFile checks a file that the policy file names under key, if it does.
func checkFile(key, path string, check func(content []byte) error) []Finding {
	if path == "" {
		return nil
	}
	content, err := policyfile.ReadNamed(key, path)
	var broken *fault.Error
	if errors.As(err, &broken) {
		err = broken.What
	}
	if err == nil {
		if err = check(content); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	if err != nil {
		return []Finding{fail(key, err.Error(), "correct the file, or "+key+" in the policy file")}
	}
	return []Finding{ok(key, path)}
}

// checkBundle reports an error unless content holds certificates.
func checkBundle(content []byte) error {
	if !x509.NewCertPool().AppendCertsFromPEM(content) {
		return errors.New("it holds no certificate in PEM")
	}
	return nil
}

// checkSessionPolicy reports an error unless STS can take content as a session
// policy.
func checkSessionPolicy(content []byte) error {
	var policy map[string]any
	if err := json.Unmarshal(content, &policy); err != nil {
		return errors.New("it is no JSON object")
	}
	if n := utf8.RuneCount(content); n > maxSessionPolicy {
		return fmt.Errorf("it has %d characters, STS takes %d", n, maxSessionPolicy)
	}
	return nil
}
