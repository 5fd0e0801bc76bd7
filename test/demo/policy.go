package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// users are the unix users of the tenants: those that every Debian has.
func users() []string { return []string{"www-data", "backup"} }

// writePolicy writes the policy file, and returns its path. In containers each tenant has a unix
// user; else scripts run as the user who has started the demo.
func (w *world) writePolicy(p pipeline) (string, error) {
	text := w.settings(p)
	tenants := p.tenants()
	for i, tenant := range slices.Sorted(maps.Keys(tenants)) {
		text += fmt.Sprintf("\n[[tenant]]\nname = %q\nrole_arn = %q\naudience = %q\nprojects = [%q]\n", tenant, w.sts.RoleARN(tenant), tenants[tenant], projectPath)
		if w.registry != nil {
			text += fmt.Sprintf("run_as = %q\nimages = [%q]\n", users()[i], w.registry.Name(p.image()))
		}
	}
	path := w.path("rolecall.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return "", err
	}
	return path, os.Chmod(w.dir, 0o711)
}

// settings returns what the policy file says of all tenants.
func (w *world) settings(p pipeline) string {
	var text strings.Builder
	fmt.Fprintf(&text, "builds_dir = %q\ncache_dir = %q\ncredentials_dir = %q\n", w.path("builds"), w.path("cache"), w.store)
	if w.registry == nil {
		text.WriteString("shared_user = \"unsafe\"\n") // the user who has started the demo
	}
	if w.registry == nil && os.Geteuid() == 0 {
		text.WriteString("run_as_root = \"unsafe\"\n")
	}
	fmt.Fprintf(&text, "\n[gitlab]\nissuer = %q\n\n[handover]\nstore = \"local\"\nmax_age = \"1h\"\n", w.gitlab.Issuer())
	if w.registry != nil {
		fmt.Fprintf(&text, "\n[containers]\nengine = \"podman\"\nimages_dir = %q\n", w.path("images"))
	}
	return text.String()
}
