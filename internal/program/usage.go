package program

// usage is the text of --help. It takes the name of a stage and what the stage does.
const usage = `usage: %[1]s [FLAGS]

%[1]s %[2]s.

  --config FILE   the policy file (default /etc/rolecall/rolecall.toml)
  --no-policy     read no policy file: each job names its tenant and role, and
                  only the role's trust policy in AWS decides
  --run-as NAME   with --no-policy: the unix user that all scripts run as; root
                  lets scripts run as root
  --tenant NAME   the tenant that this runner serves; without it the job's
                  variable TENANT names the tenant
  --version       print the version
  --help          print this text

GitLab Runner starts the stages config, prepare, run and cleanup for each job.
Give all four the same flags, in [runners.custom] of the runner's config.toml:

    config_args = ["--config", "/etc/rolecall/ci.toml", "--tenant", "alpha"]
    prepare_args = ["--config", "/etc/rolecall/ci.toml", "--tenant", "alpha"]
    run_args = ["--config", "/etc/rolecall/ci.toml", "--tenant", "alpha"]
    cleanup_args = ["--config", "/etc/rolecall/ci.toml", "--tenant", "alpha"]

The exit code is 0, or $BUILD_FAILURE_EXIT_CODE if the author or the admin must
change something, or $SYSTEM_FAILURE_EXIT_CODE if the runner should try again.
`
