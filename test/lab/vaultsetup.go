package lab

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// TrustIssuer makes Vault take ID tokens of an issuer, which must be up, at auth/jwt.
func (v *Vault) TrustIssuer(ctx context.Context, issuer string) error {
	if err := v.Write(ctx, "sys/auth/jwt", map[string]string{"type": "jwt"}); err != nil {
		return err
	}
	return v.Write(ctx, "auth/jwt/config", map[string]string{"oidc_discovery_url": issuer, "bound_issuer": issuer})
}

// VaultRole says which ID tokens may log in, and what they then may do.
type VaultRole struct {
	Audience string
	Claims   map[string]string // what they must be, with * for any text
	Policy   string            // as HCL
	Settings map[string]any    // of the role beside these, such as token_type
}

// AddRole adds a role to auth/jwt, and a policy with its name. Each job is an entity, so that
// what is known of one job's login is not changed by another's.
func (v *Vault) AddRole(ctx context.Context, name string, role VaultRole) error {
	if err := v.Write(ctx, "sys/policies/acl/"+name, map[string]string{"policy": role.Policy}); err != nil {
		return err
	}
	settings := map[string]any{
		"role_type":              "jwt",
		"user_claim":             "job_id",
		"bound_audiences":        []string{role.Audience},
		"bound_claims_type":      "glob",
		"bound_claims":           role.Claims,
		"claim_mappings":         map[string]string{"project_path": "project_path", "pipeline_id": "pipeline_id"},
		"token_policies":         []string{name},
		"token_ttl":              "1h",
		"token_explicit_max_ttl": "2h",
	}
	maps.Copy(settings, role.Settings)
	return v.Write(ctx, "auth/jwt/role/"+name, settings)
}

// AllowRead returns a policy that lets a token read these paths.
func AllowRead(paths ...string) (policy string) {
	for _, path := range paths {
		policy += fmt.Sprintf("path %q { capabilities = [\"read\"] }\n", path)
	}
	return policy
}

// AddKV mounts a store of keys and values of version 1 or 2, and waits until it serves:
// version 2 begins with an upgrade.
func (v *Vault) AddKV(ctx context.Context, mount string, version int) error {
	engine := map[string]any{"type": "kv", "options": map[string]string{"version": fmt.Sprint(version)}}
	if err := v.Write(ctx, "sys/mounts/"+mount, engine); err != nil || version == 1 {
		return err
	}
	return v.service.await(ctx, func(ctx context.Context) error {
		_, err := v.Read(ctx, v.root, mount+"/config")
		return err
	})
}

// AddDatabase mounts the engine of databases at database/, with p as its connection "lab".
func (v *Vault) AddDatabase(ctx context.Context, p *Postgres) error {
	if err := v.Write(ctx, "sys/mounts/database", map[string]string{"type": "database"}); err != nil {
		return err
	}
	return v.Write(ctx, "database/config/lab", map[string]any{
		"plugin_name":    "postgresql-database-plugin",
		"connection_url": "postgresql://{{username}}:{{password}}@" + p.Address + "/postgres?sslmode=disable",
		"username":       p.admin,
		"password":       p.password,
		"allowed_roles":  "*",
	})
}

// AddDatabaseRole adds a role to database/. Whoever reads database/creds/<name> gets a user
// who may log in, and who is dropped when the lease ends.
func (v *Vault) AddDatabaseRole(ctx context.Context, name string, ttl time.Duration) error {
	return v.Write(ctx, "database/roles/"+name, map[string]any{
		"db_name":               "lab",
		"creation_statements":   `CREATE ROLE "{{name}}" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';`,
		"revocation_statements": `DROP ROLE IF EXISTS "{{name}}";`,
		"default_ttl":           ttl.String(),
	})
}
