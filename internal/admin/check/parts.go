package check

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"rolecall/internal/tenant/policyfile"
)

// part is a host as the runners of one policy file see it.
type part struct {
	host

	without bool // they have no policy file
}

// parts returns a part for each policy file that the runners of config.toml read, and one for
// those without. If a policy file was named to the check, there is one part.
func (h *host) parts() []*part {
	all := &part{host: *h}
	if !h.ByDefault {
		return []*part{all}
	}
	var parts []*part
	var others []runner
	for _, r := range h.config.Runners {
		f, err := readFlags(r.Custom.ConfigArgs)
		if !r.ours() || err != nil {
			others = append(others, r)
			continue
		}
		file := cmp.Or(f.Config, policyfile.Default)
		i := slices.IndexFunc(parts, func(p *part) bool { return p.without == f.NoPolicy && (f.NoPolicy || p.Policy == file) })
		if i < 0 {
			i, parts = len(parts), append(parts, h.part(file, f.NoPolicy))
		}
		parts[i].ByDefault = parts[i].ByDefault && f.Config == ""
		parts[i].config.Runners = append(parts[i].config.Runners, r)
	}
	if len(parts) == 0 || len(parts) == 1 && parts[0].without {
		return []*part{all}
	}
	parts[0].config.Runners = append(parts[0].config.Runners, others...)
	return parts
}

// part returns the part of the runners that read a policy file, before their runners.
func (h *host) part(file string, without bool) *part {
	p := &part{*h, without}
	p.Policy, p.config.Runners = file, nil
	return p
}

// check makes the checks of the part.
func (p *part) check(ctx context.Context) []Finding {
	var findings []Finding
	if !p.without {
		findings = p.readPolicy()
	}
	checks := []func(context.Context) []Finding{
		p.checkFiles, p.checkSources, p.checkHomes, p.checkUsers, p.checkCredentialsDir, p.checkAuditLog, p.checkMetrics, p.checkWorkDirs, p.checkPassable,
		p.checkKeys, p.checkGitLab, p.checkSTS, p.checkRemote, p.checkRunners, p.checkDriver, p.checkTools, p.checkService, p.checkBeside,
		p.checkKernel, p.checkProcesses, p.checkSweep, p.checkTemp, p.checkMetadata, p.checkContainers, p.checkSuspended,
	}
	return append(findings, gather(len(checks), func(i int) []Finding { return checks[i](ctx) })...)
}

// checkUsersOfTwo reports unix users that two policy files give to tenants of different names,
// which none of the files shows.
func checkUsersOfTwo(parts []*part) []Finding {
	tenants := map[string][]string{} // by their user
	unsafe := false
	for _, p := range parts {
		if p.policy == nil {
			continue
		}
		unsafe = unsafe || p.settings.SharedUser
		for user, names := range p.tenantsByUser() {
			tenants[user] = append(tenants[user], names...)
		}
	}
	var findings []Finding
	for _, user := range slices.Sorted(maps.Keys(tenants)) {
		names := slices.Compact(slices.Sorted(slices.Values(tenants[user])))
		if user == "" || len(names) < 2 || unsafe {
			continue
		}
		findings = append(findings, fix(idUserOfTwo, "run_as", fmt.Sprintf("user %q is of several tenants: %s: their jobs can read each other's credentials", user, strings.Join(names, ", ")),
			"give each tenant of these policy files a user of its own"))
	}
	return findings
}

// tenantsByUser returns the names of tenants by their unix users. Jobs without a tenant are
// the same in all policy files.
func (p *part) tenantsByUser() map[string][]string {
	tenants := map[string][]string{p.settings.RunAs: {"jobs without a tenant"}}
	for _, t := range p.policy.Tenants() {
		tenants[t.RunAs] = append(tenants[t.RunAs], string(t.Name))
	}
	return tenants
}
