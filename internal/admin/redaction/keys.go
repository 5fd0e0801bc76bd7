package redaction

import (
	"slices"
	"strings"
)

// policyKeys reports whether the value of a key of a policy file is no secret, by the path of the
// key. A table of pairs, such as env, is not known: its values are of admins.
func policyKeys(path string) bool {
	tables := []string{"", "gitlab", "gate", "containers", "defaults", "tenant", "tenant.source", "tenant.chain", "tenant.source.chain", "tenant.source.read", "sts", "handover", "tenant.handover"}
	i := strings.LastIndexByte(path, '.')
	return slices.Contains(tables, path[:max(i, 0)]) && slices.Contains(policyNames(), path[i+1:])
}

// policyNames are the keys of a policy file whose values are no secrets.
func policyNames() []string {
	return strings.Fields(`
		builds_dir cache_dir credentials_dir audit_log metrics_file contact run_as run_as_root shared_user metadata
		home home_skeleton unknown_tenant unused_services
		issuer jwks_url jwks_file ca_bundle
		incomplete foreign_keys max_files max_bytes max_duration
		engine images_dir network default_image require_image pull_time max_services wait_for_services images_max_bytes
		name audience id_token protected required projects refs ref_types environments
		max_open_files max_processes max_memory max_requests_per_minute max_token_age
		images services image_users pull_policies digest_only docker_auth_config
		provider role_arn region duration session_policy_file allowed_accounts policy_arns delivery renew_before profile transitive
		endpoint proxy
		workload_identity_provider service_account lifetime project universe_domain token_url iam_url probe
		tenant_id client_id subscription_id authority_host
		address namespace auth_path role token
		format sets timeout
		store max_age seal_key_files source bucket prefix path`)
}

// runnerKeys reports whether the value of a key of config.toml is no secret.
func runnerKeys(path string) bool {
	return slices.Contains(strings.Fields(`
		concurrent check_interval shutdown_timeout log_level log_format connection_max_age listen_address
		runners.name runners.url runners.executor runners.builds_dir runners.cache_dir runners.clean_git_config runners.limit
		runners.request_concurrency runners.output_limit runners.tls-ca-file runners.id runners.shell
		runners.custom.config_exec runners.custom.config_args runners.custom.config_exec_timeout
		runners.custom.prepare_exec runners.custom.prepare_args runners.custom.prepare_exec_timeout
		runners.custom.run_exec runners.custom.run_args
		runners.custom.cleanup_exec runners.custom.cleanup_args runners.custom.cleanup_exec_timeout
		runners.custom.graceful_kill_timeout runners.custom.force_kill_timeout`), path)
}

// unitKeys are the settings of a unit of systemd whose values are no secrets.
func unitKeys() []string {
	return strings.Fields(`
		Description Documentation After Before Wants Requires BindsTo PartOf Conflicts RequiresMountsFor ConditionPathExists
		Type User Group DynamicUser WorkingDirectory KillMode KillSignal SendSIGKILL TimeoutStartSec TimeoutStopSec TimeoutSec
		Restart RestartSec LimitNOFILE LimitNPROC LimitCORE LimitFSIZE LimitMEMLOCK TasksMax MemoryMax CPUQuota Delegate Slice OOMPolicy UMask Nice
		ProtectSystem ProtectHome ProtectKernelTunables ProtectKernelModules ProtectControlGroups ProtectProc PrivateTmp PrivateDevices
		PrivateNetwork NoNewPrivileges ReadWritePaths ReadOnlyPaths InaccessiblePaths RestrictAddressFamilies RestrictNamespaces
		CapabilityBoundingSet AmbientCapabilities SystemCallFilter SystemCallArchitectures RuntimeDirectory RuntimeDirectoryMode
		StateDirectory StateDirectoryMode LogsDirectory StandardOutput StandardError SyslogIdentifier
		OnCalendar OnBootSec OnUnitActiveSec OnUnitInactiveSec RandomizedDelaySec AccuracySec Persistent Unit
		What Where Options DirectoryMode WantedBy RequiredBy Alias Also`)
}
