package tenant

import (
	"errors"
	"time"
)

// What a policy file says by saying nothing of it.
const (
	gateBytes    = 10 << 30
	gateDuration = 10 * time.Minute
)

// document is a policy file as it is written.
type document struct {
	BuildsDir      string `toml:"builds_dir"`
	CacheDir       string `toml:"cache_dir"`
	CredentialsDir string `toml:"credentials_dir"`
	AuditLog       string `toml:"audit_log"`
	RunAs          string `toml:"run_as"`
	SharedUser     string `toml:"shared_user"`
	RunAsRoot      string `toml:"run_as_root"`

	GitLab struct {
		Issuer   string `toml:"issuer"`
		JWKSURL  string `toml:"jwks_url"`
		JWKSFile string `toml:"jwks_file"`
		CABundle string `toml:"ca_bundle"`
	} `toml:"gitlab"`
	STS struct {
		Endpoint string `toml:"endpoint"`
		Proxy    string `toml:"proxy"`
		CABundle string `toml:"ca_bundle"`
	} `toml:"sts"`
	Gate struct {
		Incomplete  *string `toml:"incomplete"`
		MaxBytes    *int64  `toml:"max_bytes"`
		MaxDuration *string `toml:"max_duration"`
	} `toml:"gate"`
	Defaults keys `toml:"defaults"`
	Tenants  []struct {
		Name *string `toml:"name"`
		keys
	} `toml:"tenant"`
}

// keys are the keys of a tenant that may have defaults; nil where it lacks one.
type keys struct {
	RoleARN      *string   `toml:"role_arn"`
	Audience     *string   `toml:"audience"`
	Projects     *[]string `toml:"projects"`
	Refs         *[]string `toml:"refs"`
	RefTypes     *[]string `toml:"ref_types"`
	Protected    *bool     `toml:"protected"`
	Environments *[]string `toml:"environments"`
	IDToken      *string   `toml:"id_token"`
	Required     *bool     `toml:"required"`
	RunAs        *string   `toml:"run_as"`
	MaxOpenFiles *int64    `toml:"max_open_files"`
	MaxProcesses *int64    `toml:"max_processes"`
	MaxMemory    *int64    `toml:"max_memory"`

	Region            *string   `toml:"region"`
	Duration          *string   `toml:"duration"`
	AllowedAccounts   *[]string `toml:"allowed_accounts"`
	SessionPolicyFile *string   `toml:"session_policy_file"`
	PolicyARNs        *[]string `toml:"policy_arns"`
}

// Defaults returns what holds where there is no policy file.
func Defaults() Settings {
	return Settings{Gate: Gate{MaxBytes: gateBytes, MaxDuration: gateDuration}}
}

// settings compiles what a document says beside its tenants.
func (c *compiler) settings(d document) Settings {
	out := Defaults()
	top := table{c, place{}, ""}
	set(top, "builds_dir", &d.BuildsDir, readPath, &out.BuildsDir)
	set(top, "cache_dir", &d.CacheDir, readPath, &out.CacheDir)
	set(top, "credentials_dir", &d.CredentialsDir, readPath, &out.CredentialsDir)
	set(top, "audit_log", &d.AuditLog, readPath, &out.AuditLog)
	set(top, "run_as", &d.RunAs, readUser, &out.RunAs)
	set(top, "shared_user", &d.SharedUser, readUnsafe, &out.SharedUser)
	set(top, "run_as_root", &d.RunAsRoot, readUnsafe, &out.RunAsRoot)
	c.gitLab(d, &out.GitLab)
	sts := table{c, place{table: "sts"}, "[sts] "}
	set(sts, "endpoint", &d.STS.Endpoint, readServer, &out.STS.Endpoint)
	set(sts, "proxy", &d.STS.Proxy, readProxy, &out.STS.Proxy)
	set(sts, "ca_bundle", &d.STS.CABundle, readPath, &out.STS.CABundle)
	gate := table{c, place{table: "gate"}, "[gate] "}
	set(gate, "incomplete", d.Gate.Incomplete, readIncomplete, &out.Gate.Warn)
	set(gate, "max_duration", d.Gate.MaxDuration, readGateDuration, &out.Gate.MaxDuration)
	if bytes := d.Gate.MaxBytes; bytes != nil {
		if out.Gate.MaxBytes = *bytes; *bytes <= 0 {
			gate.fail("max_bytes", -1, errors.New("want a number of bytes above 0"))
		}
	}
	return out
}

// gitLab compiles what a document says of GitLab.
func (c *compiler) gitLab(d document, out *GitLab) {
	at := table{c, place{table: "gitlab"}, "[gitlab] "}
	if d.GitLab.Issuer == "" {
		at.fail("issuer", -1, errors.New("it is missing; set it to the iss of GitLab's ID tokens, such as https://gitlab.example.com"))
	}
	set(at, "issuer", &d.GitLab.Issuer, readServer, &out.Issuer)
	set(at, "jwks_url", &d.GitLab.JWKSURL, readServer, &out.JWKSURL)
	set(at, "jwks_file", &d.GitLab.JWKSFile, readPath, &out.JWKSFile)
	set(at, "ca_bundle", &d.GitLab.CABundle, readPath, &out.CABundle)
	if out.JWKSURL != "" && out.JWKSFile != "" {
		at.fail("jwks_file", -1, errors.New("there is a jwks_url too; keep one of them"))
	}
}
