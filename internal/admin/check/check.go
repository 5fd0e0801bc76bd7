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

// Host says where to look.
type Host struct {
	Policy       string // path of the policy file
	Providers    []policyfile.Provider
	ByDefault    bool     // Policy is the default path: the runners may have others, or none
	Expected     string   // hash that a policy file must have; empty: any
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
	findings := on.readRunnerConfig()
	on.readServices()
	parts := on.parts()
	findings = append(findings, gather(len(parts), func(i int) []Finding { return parts[i].check(ctx) })...)
	return tidy(append(findings, checkUsersOfTwo(parts)...), len(parts) > 1)
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
