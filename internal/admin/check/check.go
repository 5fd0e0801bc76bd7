// Package check looks for mistakes in the set-up of a runner's host: in its policy file,
// its folders, its servers, the runner's configuration and the kernel's settings.
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
	Look State = "look at" // a risk that a host may have, or a later failure
	Fix  State = "to fix"  // jobs fail, or credentials are not safe
)

// Finding is the result of one check.
type Finding struct {
	Area  string `json:"area"`
	What  string `json:"what"`
	State State  `json:"state"`
	Do    string `json:"do,omitempty"` // what to do about it
}

// Host says where to look.
type Host struct {
	Policy       string // path of the policy file
	Providers    []policyfile.Provider
	ByDefault    bool     // Policy is the default path: the file may be missing
	RunnerConfig string   // path of the runner's config.toml
	Temp         string   // folder of temporary files, if no service of the runner is found
	Proc         string   // mount point of proc
	Root         string   // folder above systemd's folders
	Path         string   // folders of programs, as in the variable PATH of a service
	Metadata     []string // addresses of the cloud's metadata services
}

// Here returns this host, with the paths and addresses that are the same on all hosts.
//
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html
// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-iam-roles.html
func Here() Host {
	return Host{Proc: "/proc", Root: "/", Path: defaultPath, Metadata: []string{"169.254.169.254:80", "[fd00:ec2::254]:80", "169.254.170.2:80"}}
}

// host is a host, with the files that could be read.
type host struct {
	Host
	policy   *tenant.Policy  // nil: missing or broken
	settings tenant.Settings // of the policy; empty without one
	config   runnerConfig    // empty: missing or broken
	units    []unit          // of the runner's service
	runners  []running       // processes of the runner's service
}

// Check makes all checks and returns their findings, in the same order each time. A
// check that fails does not prevent another, and waits at most 5 s for a server. The
// findings contain no secret, but they may name paths, hosts and tenants.
func (h Host) Check(ctx context.Context) []Finding {
	on := host{Host: h}
	findings := on.readPolicy()
	findings = append(findings, on.readRunnerConfig()...)
	on.readServices()
	checks := []func(context.Context) []Finding{
		on.checkFiles, on.checkSources, on.checkHomes, on.checkUsers, on.checkCredentialsDir, on.checkAuditLog, on.checkMetrics, on.checkWorkDirs, on.checkPassable,
		on.checkKeys, on.checkGitLab, on.checkSTS, on.checkRemote, on.checkRunners, on.checkDriver, on.checkTools, on.checkService, on.checkBeside,
		on.checkKernel, on.checkProcesses, on.checkSweep, on.checkTemp, on.checkMetadata, on.checkContainers, on.checkSuspended,
	}
	return append(findings, gather(len(checks), func(i int) []Finding { return checks[i](ctx) })...)
}

// gather makes n checks at once and returns their findings, in the order of the checks.
func gather(n int, check func(i int) []Finding) []Finding {
	found := make([][]Finding, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { found[i] = check(i) })
	}
	all.Wait()
	return slices.Concat(found...)
}

// Count returns how many of the findings have a state.
func Count(findings []Finding, state State) int {
	n := 0
	for _, f := range findings {
		if f.State == state {
			n++
		}
	}
	return n
}

// Bad reports whether one of the findings is a Fix.
func Bad(findings []Finding) bool { return Count(findings, Fix) > 0 }

func ok(area, what string) Finding       { return Finding{area, what, OK, ""} }
func look(area, what, do string) Finding { return Finding{area, what, Look, do} }
func fix(area, what, do string) Finding  { return Finding{area, what, Fix, do} }
