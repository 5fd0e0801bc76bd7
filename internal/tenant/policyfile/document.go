package policyfile

import (
	"errors"
	"strings"

	"rolecall/internal/tenant"
)

// topKeys returns the keys before the first table.
func topKeys() Keys {
	return Keys{
		"builds_dir": Text, "cache_dir": Text, "credentials_dir": Text, "audit_log": Text, "metrics_file": Text,
		"contact": Text, "run_as": Text, "run_as_root": Text, "shared_user": Text, "metadata": Text,
		"home": Text, "home_skeleton": Text,
		"unknown_tenant": Text, "unused_services": Text, "steps": Text,
	}
}

// gitlabKeys returns the keys of [gitlab].
func gitlabKeys() Keys {
	return Keys{"issuer": Text, "jwks_url": Text, "jwks_file": Text, "ca_bundle": Text}
}

// gateKeys returns the keys of [gate].
func gateKeys() Keys {
	return Keys{"incomplete": Text, "foreign_keys": Text, "max_files": Number, "max_bytes": Number, "max_duration": Text}
}

// ownKeys returns the keys of a tenant that belong to no provider, except its name.
func ownKeys() Keys {
	return Keys{
		"audience": Text, "id_token": Text, "run_as": Text, "protected": Switch, "required": Switch,
		"projects": List, "refs": List, "ref_types": List, "environments": List,
		"max_open_files": Number, "max_processes": Number, "max_memory": Number, "max_requests_per_minute": Number, "max_token_age": Text,
		"images": List, "services": List, "image_users": List, "pull_policies": List, "digest_only": Switch, "docker_auth_config": Switch,
	}
}

// table returns a table at the top of a document. A missing table has no keys.
func (c *compiler) table(document map[string]any, name string) Table {
	values, _ := document[name].(map[string]any)
	return Table{compiler: c, at: place{table: name}, label: "[" + name + "] ", values: values}
}

// settings compiles what a document says outside of its tenants.
func (c *compiler) settings(document map[string]any) tenant.Settings {
	out := tenant.Defaults()
	top := Table{compiler: c, values: document}
	Set(top, "builds_dir", ReadPath, &out.BuildsDir)
	Set(top, "cache_dir", ReadPath, &out.CacheDir)
	Set(top, "credentials_dir", ReadPath, &out.CredentialsDir)
	Set(top, "audit_log", ReadPath, &out.AuditLog)
	setMetrics(top, &out)
	Set(top, "contact", readContact, &out.Contact)
	Set(top, "run_as", readUser, &out.RunAs)
	Set(top, "shared_user", isWord("unsafe"), &out.SharedUser)
	Set(top, "run_as_root", isWord("unsafe"), &out.RunAsRoot)
	Set(top, "metadata", isWord("allow"), &out.Metadata)
	setHome(top, &out)
	Set(top, "unknown_tenant", isOther("refuse", "none"), &out.UnknownNone)
	Set(top, "steps", isOther("refuse", "allow"), &out.AllowSteps)
	Set(top, "unused_services", isOther("warn", "refuse"), &out.RefuseServices)
	setGitLab(c.table(document, "gitlab"), &out.GitLab)
	setGate(c.table(document, "gate"), &out.Gate)
	setContainers(c.table(document, "containers"), &out)
	setHandover(c.table(document, "handover"), &out.Handover)
	top.checkServices(out)
	top.checkPaths(out)
	out.Servers = c.servers(document)
	return out
}

// setMetrics compiles the key of the file of metrics.
func setMetrics(top Table, out *tenant.Settings) {
	Set(top, "metrics_file", ReadPath, &out.MetricsFile)
	switch {
	case out.MetricsFile == "":
	case !strings.HasSuffix(out.MetricsFile, ".prom"):
		top.Fail("metrics_file", errors.New("node_exporter reads only files whose names end with .prom"))
	case out.AuditLog == "":
		top.Fail("metrics_file", errors.New("without audit_log there is nothing to count; set audit_log, or remove it"))
	}
}

// setHome compiles the keys about the HOME of scripts.
func setHome(top Table, out *tenant.Settings) {
	Set(top, "home", isWord("passwd"), &out.PasswdHome)
	Set(top, "home_skeleton", ReadPath, &out.HomeSkeleton)
	switch {
	case out.HomeSkeleton == "":
	case out.PasswdHome:
		top.Fail("home_skeleton", errors.New(`with home = "passwd" it has no effect; remove one of them`))
	case out.BuildsDir == "":
		top.Fail("home_skeleton", errors.New("without builds_dir it has no effect; set builds_dir, or remove it"))
	}
}

// setGitLab compiles the table [gitlab].
func setGitLab(t Table, out *tenant.GitLab) {
	if text, _ := t.values["issuer"].(string); text == "" {
		t.Fail("issuer", errors.New("it is missing; set it to the iss of GitLab's ID tokens, such as https://gitlab.example.com"))
	}
	Set(t, "issuer", ReadServer, &out.Issuer)
	Set(t, "jwks_url", ReadServer, &out.JWKSURL)
	Set(t, "jwks_file", ReadPath, &out.JWKSFile)
	Set(t, "ca_bundle", ReadPath, &out.CABundle)
	if out.JWKSURL != "" && out.JWKSFile != "" {
		t.Fail("jwks_file", errors.New("there is also a jwks_url; keep one of them"))
	}
}

// setGate compiles the table [gate].
func setGate(t Table, out *tenant.Gate) {
	Set(t, "incomplete", isOther("refuse", "warn"), &out.Warn)
	Set(t, "foreign_keys", readForeignKeys, &out.ForeignKeys)
	Set(t, "max_duration", readDuration, &out.MaxDuration)
	t.setBound("max_files", &out.MaxFiles)
	t.setBound("max_bytes", &out.MaxBytes)
}

// setTenant puts into a tenant what a table says, except the keys of providers.
func setTenant(t Table, to *tenant.Tenant) {
	setRules(t, to)
	Set(t, "id_token", readVariable, &to.IDToken)
	Set(t, "run_as", readUser, &to.RunAs)
	t.setLimit("max_open_files", &to.Limits.OpenFiles)
	t.setLimit("max_processes", &to.Limits.Processes)
	t.setLimit("max_memory", &to.Limits.Memory)
	t.setLimit("max_requests_per_minute", &to.MaxRequests)
	Set(t, "max_token_age", readDuration, &to.MaxTokenAge)
	t.setSwitch("required", &to.Required)
	setImages(t, &to.Images)
}

// setRules puts into a tenant the rules that decide which jobs are its own.
func setRules(t Table, to *tenant.Tenant) {
	Set(t, "audience", readAudience, &to.Audience)
	SetList(t, "projects", tenant.ParseProject, &to.Projects)
	SetList(t, "refs", tenant.ParseRef, &to.Refs)
	SetList(t, "ref_types", readRefType, &to.RefTypes)
	SetList(t, "environments", tenant.ParseEnvironment, &to.Environments)
	t.setSwitch("protected", &to.Protected)
}
