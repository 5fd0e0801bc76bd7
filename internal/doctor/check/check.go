// Package check looks for what is wrong with a runner's host: its policy file, its
// folders, its servers, the runner's configuration and the kernel's settings.
package check

import (
	"context"
	"slices"
	"sync"

	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// State says how bad a finding is.
type State string

// The states of a finding.
const (
	OK   State = "ok"
	Warn State = "warn" // a risk, or what will fail one day
	Fail State = "FAIL" // jobs fail, or credentials are not safe
)

// Finding is one thing that was looked at.
type Finding struct {
	Area  string `json:"area"`
	What  string `json:"what"`
	State State  `json:"state"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// Host is what is looked at.
type Host struct {
	Policy       string // path of the policy file
	Providers    []policyfile.Provider
	ByDefault    bool     // nobody has named the policy file: it may be missing
	RunnerConfig string   // path of the runner's config.toml
	Temp         string   // where the runner keeps job responses
	Proc         string   // where proc is mounted
	Root         string   // where systemd's folders are
	Metadata     []string // addresses of the cloud's metadata services
}

// Here returns this host, as far as its paths and addresses are always the same.
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
func Here() Host {
	return Host{Proc: "/proc", Root: "/", Metadata: []string{"169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.2:80"}}
}

// site is a host with what could be read of its files.
type site struct {
	Host
	policy   *tenant.Policy  // nil: none, or it is broken
	settings tenant.Settings // of the policy, or none
	config   runnerConfig    // empty: none, or it is broken
}

// Check looks at everything and returns what it found, in the same order each
// time. No check keeps another from being made, and none takes longer than 5 s for
// a server. What it reads of files and servers is not secret, but it may name
// paths, hosts and tenants.
func (h Host) Check(ctx context.Context) []Finding {
	s := site{Host: h}
	findings := s.readPolicy()
	findings = append(findings, s.readRunnerConfig()...)
	checks := []func(context.Context) []Finding{
		s.checkFiles, s.checkUsers, s.checkCredentialsDir, s.checkAuditLog, s.checkWorkDirs, s.checkPassable,
		s.checkKeys, s.checkGitLab, s.checkSTS, s.checkRunners, s.checkKernel, s.checkProcesses, s.checkSweep, s.checkTemp, s.checkMetadata,
	}
	return append(findings, gather(len(checks), func(i int) []Finding { return checks[i](ctx) })...)
}

// gather makes n checks at once and returns what they found, in their order.
func gather(n int, check func(i int) []Finding) []Finding {
	found := make([][]Finding, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { found[i] = check(i) })
	}
	all.Wait()
	return slices.Concat(found...)
}

// Bad reports whether one of the findings is a Fail.
func Bad(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Fail {
			return true
		}
	}
	return false
}

func ok(area, what string) Finding       { return Finding{area, what, OK, ""} }
func warn(area, what, do string) Finding { return Finding{area, what, Warn, do} }
func fail(area, what, do string) Finding { return Finding{area, what, Fail, do} }
