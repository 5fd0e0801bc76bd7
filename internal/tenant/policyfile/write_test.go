package policyfile_test

import (
	"fmt"
	"strings"

	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/handover"
	"rolecall/internal/image"
	"rolecall/internal/tenant"
)

// write writes a policy file.
func write(s tenant.Settings, tenants []tenant.Tenant) string {
	var b strings.Builder
	sts := grant.ServerOf(s)
	for _, line := range [][2]string{
		{"builds_dir", s.BuildsDir},
		{"cache_dir", s.CacheDir},
		{"credentials_dir", s.CredentialsDir},
		{"audit_log", s.AuditLog},
		{"metrics_file", s.MetricsFile},
		{"run_as", s.RunAs},
		{"run_as_root", map[bool]string{true: "unsafe"}[s.RunAsRoot]},
		{"shared_user", map[bool]string{true: "unsafe"}[s.SharedUser]},
		{"contact", s.Contact},
		{"home", map[bool]string{true: "passwd"}[s.PasswdHome]},
		{"home_skeleton", s.HomeSkeleton},
		{"unknown_tenant", map[bool]string{true: "none", false: "refuse"}[s.UnknownNone]},
		{"steps", map[bool]string{true: "allow", false: "refuse"}[s.AllowSteps]},
		{"metadata", map[bool]string{true: "allow"}[s.Metadata]},
		{"gitlab.issuer", s.GitLab.Issuer},
		{"gitlab.jwks_url", s.GitLab.JWKSURL},
		{"gitlab.jwks_file", s.GitLab.JWKSFile},
		{"gitlab.ca_bundle", s.GitLab.CABundle},
		{"sts.endpoint", sts.Endpoint},
		{"sts.proxy", sts.Proxy},
		{"sts.ca_bundle", sts.CABundle},
		{"gate.foreign_keys", s.Gate.ForeignKeys},
		{"gate.incomplete", map[bool]string{true: "warn", false: "refuse"}[s.Gate.Warn]},
		{"gate.max_duration", s.Gate.MaxDuration.String()},
	} {
		fmt.Fprintf(&b, "%s = %s\n", line[0], quoted(line[1]))
	}
	b.WriteString(containersOf(s))
	b.WriteString(handoverOf("handover.", s.Handover))
	fmt.Fprintf(&b, "gate.max_files = %d\ngate.max_bytes = %d\n", s.Gate.MaxFiles, s.Gate.MaxBytes)
	fmt.Fprintf(&b, "[defaults]\nmax_open_files = %d\nmax_processes = %d\nmax_memory = %d\n", s.Limits.OpenFiles, s.Limits.Processes, s.Limits.Memory)
	b.WriteString(imagesOf(s, s.Images))
	for _, t := range tenants {
		fmt.Fprintf(&b, "[[tenant]]\nname = %q\naudience = %s\nid_token = %q\nprotected = %v\nrequired = %v\n",
			t.Name, quoted(t.Audience), t.IDToken, t.Protected, t.Required)
		fmt.Fprintf(&b, "max_open_files = %d\nmax_processes = %d\nmax_memory = %d\n", t.Limits.OpenFiles, t.Limits.Processes, t.Limits.Memory)
		fmt.Fprintf(&b, "run_as = %q\nmax_requests_per_minute = %d\n", t.RunAs, t.MaxRequests)
		b.WriteString(imagesOf(s, t.Images))
		for key, list := range map[string][]string{
			"projects": strings.Fields(texts(t.Projects)), "refs": strings.Fields(texts(t.Refs)), "ref_types": t.RefTypes,
			"environments": environments(t),
		} {
			if len(list) > 0 {
				fmt.Fprintf(&b, "%s = [%s]\n", key, quoted(list...))
			}
		}
		b.WriteString(giftsOf(t))
		if h := t.Handover; h.On() && h.Store != handover.Local {
			h.MaxAge = 0
			b.WriteString("[tenant.handover]\n" + handoverOf("", h))
		}
	}
	return b.String()
}

// handoverOf writes how values are handed over, without the keys that only [handover] has where
// there is no age. Before each key stands where it belongs.
func handoverOf(at string, h handover.Settings) string {
	var b strings.Builder
	if h.Store != "" && h.MaxAge > 0 {
		fmt.Fprintf(&b, "%sstore = %q\n%[1]smax_age = %[3]q\n", at, h.Store, h.MaxAge.String())
		if len(h.SealKeyFiles) > 0 {
			fmt.Fprintf(&b, "%sseal_key_files = [%s]\n", at, quoted(h.SealKeyFiles...))
		}
		if h.CABundle != "" {
			fmt.Fprintf(&b, "%sca_bundle = %s\n", at, quoted(h.CABundle))
		}
	}
	for _, line := range [][2]string{{"source", h.Source}, {"bucket", h.Bucket}, {"prefix", h.Prefix}, {"region", h.Region}, {"endpoint", h.Endpoint}, {"path", h.Path}} {
		if own := at == "" && (line[0] == "source" || h.Store == handover.S3 && line[0] != "path"); own || line[1] != "" {
			fmt.Fprintf(&b, "%s%s = %s\n", at, line[0], quoted(line[1]))
		}
	}
	return b.String()
}

// giftsOf writes what a tenant gives of AWS.
func giftsOf(t tenant.Tenant) string {
	var b strings.Builder
	for _, g := range grant.All(t.Gifts) {
		if len(g.AllowedAccounts) > 0 && (g.Name == "" || len(b.String()) == 0) {
			fmt.Fprintf(&b, "allowed_accounts = [%s]\n", quoted(g.AllowedAccounts...))
		}
		if g.Endpoint && (g.Name == "" || !strings.Contains(b.String(), "delivery")) {
			b.WriteString("delivery = \"endpoint\"\n")
		}
		table := "tenant"
		if g.Name != "" {
			table = "tenant.source"
			fmt.Fprintf(&b, "[[%s]]\nprovider = \"aws\"\nname = %q\nprofile = %v\n", table, g.Name, !g.NoProfile)
		}
		fmt.Fprintf(&b, "role_arn = %s\nregion = %q\nsession_policy_file = %s\nduration = %q\npolicy_arns = [%s]\n",
			quoted(g.Role.String()), g.Region, quoted(g.SessionPolicyFile), map[bool]string{true: g.Duration.String()}[g.Duration > 0], quoted(g.PolicyARNs...))
		if g.Renew > 0 && (g.Name != "" || g.Endpoint || len(t.Gifts) > 1) {
			fmt.Fprintf(&b, "renew_before = %q\n", g.Renew)
		}
		for _, h := range g.Chain {
			b.WriteString(hopOf(table, h))
		}
	}
	return b.String()
}

// hopOf writes a role of a chain.
func hopOf(table string, h grant.Hop) string {
	text := fmt.Sprintf("[[%s.chain]]\nrole_arn = %s\n", table, quoted(h.Role.String()))
	if h.ExternalID != "" {
		text += fmt.Sprintf("external_id = %s\n", quoted(h.ExternalID))
	}
	if h.SourceIdentity != (grant.Value{}) {
		text += fmt.Sprintf("source_identity = %s\n", valueOf(h.SourceIdentity))
	}
	var tags, transitive []string
	for _, tag := range h.Tags {
		tags = append(tags, quoted(tag.Key)+" = "+valueOf(tag.Value))
		if tag.Transitive {
			transitive = append(transitive, tag.Key)
		}
	}
	return text + fmt.Sprintf("tags = { %s }\ntransitive = [%s]\n", strings.Join(tags, ", "), quoted(transitive...))
}

// valueOf writes a value of a tag or a source identity.
func valueOf(v grant.Value) string {
	if v.Claim != "" {
		return quoted("claim:" + v.Claim)
	}
	return quoted(v.Text)
}

// containersOf writes what a policy file says of containers, at its top.
func containersOf(s tenant.Settings) string {
	c := s.Containers
	if c.Engine.Name == "" {
		return fmt.Sprintf("unused_services = %q\n", map[bool]string{true: "refuse", false: "warn"}[s.RefuseServices])
	}
	return fmt.Sprintf("containers.engine = %s\ncontainers.images_dir = %s\ncontainers.network = %q\ncontainers.pull_time = %q\n",
		quoted(c.Engine.Name), quoted(c.Engine.ImagesDir), c.Engine.Network, c.Engine.PullTime) +
		fmt.Sprintf("containers.max_services = %d\ncontainers.wait_for_services = %q\ncontainers.default_image = %q\ncontainers.require_image = %v\ncontainers.images_max_bytes = %d\n",
			c.MaxServices, c.Engine.WaitForServices, c.DefaultImage, c.RequireImage, c.ImagesMaxBytes)
}

// imagesOf writes rules of images.
func imagesOf(s tenant.Settings, r image.Rules) string {
	if s.Containers.Engine.Name == "" {
		return ""
	}
	text := fmt.Sprintf("digest_only = %v\ndocker_auth_config = %v\nimages = [%s]\nservices = [%s]\n", r.DigestOnly, r.AuthConfig, listed(r.Images), listed(r.Services))
	if len(r.Users) > 0 {
		text += fmt.Sprintf("image_users = [%s]\n", listed(r.Users))
	}
	if len(r.Policies) > 0 {
		text += fmt.Sprintf("pull_policies = [%s]\n", listed(r.Policies))
	}
	return text
}

// listed returns texts as the elements of a list of TOML.
func listed[T ~string](all []T) string {
	var texts []string
	for _, one := range all {
		texts = append(texts, string(one))
	}
	return quoted(texts...)
}

// environments returns the patterns of environments, which may have spaces in them.
func environments(t tenant.Tenant) (all []string) {
	for _, p := range t.Environments {
		all = append(all, p.String())
	}
	return all
}

// quoted returns texts as TOML's.
func quoted(texts ...string) string {
	var all []string
	for _, text := range texts {
		all = append(all, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)+`"`)
	}
	return strings.Join(all, ", ")
}
