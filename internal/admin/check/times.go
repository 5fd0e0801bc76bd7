package check

import (
	"fmt"
	"time"
)

// The least seconds that the settings of a runner must leave to the driver.
const (
	leastShutdown = 60 // for the end of all jobs of the runner
	leastGrace    = 10 // run needs at most this time to end
	leastPrepare  = 40 // prepare waits up to 15 s for the issuer and 20 s for STS
	leastOther    = 10 // for config and cleanup on a busy host
)

// The runner's defaults, in seconds. Its default for the times of config, prepare and
// cleanup is an hour, which is enough.
//
// https://docs.gitlab.com/runner/configuration/advanced-configuration/#the-runnerscustom-section
const (
	defaultShutdown = 30
	defaultGrace    = 600
	defaultForce    = 10 // 600 by its documentation
)

// stopAdvice is about the three settings that must fit together: how long a stage may
// take to end, and how long the runner waits for the end of all stages.
const stopAdvice = "set shutdown_timeout = 60 at the top of config.toml, and graceful_kill_timeout = 15 and force_kill_timeout = 5 in [runners.custom]"

// checkTimes checks the times that the runner gives to the stages, and the time that
// systemd gives to the runner.
func (h *host) checkTimes(area string, c custom) []Finding {
	findings := checkLeast(area, c)
	shutdown := h.config.shutdown()
	need := max(leastShutdown, or(c.GracefulKillTimeout, defaultGrace)+or(c.ForceKillTimeout, defaultForce))
	if shutdown < need {
		findings = append(findings, fix(idTimes, area, fmt.Sprintf("shutdown_timeout is %d s, and the end of its jobs may take %d s: a runner that stops exits before cleanup, and credentials stay", shutdown, need), stopAdvice))
	}
	for _, u := range h.units {
		if limit, known := u.stopTime(); known && limit < time.Duration(shutdown)*time.Second {
			findings = append(findings, fix(idTimes, area, fmt.Sprintf("shutdown_timeout is %d s, and systemd kills %s after %v: cleanup does not run", shutdown, u.name, limit), stopAdvice+", and TimeoutStopSec in the unit to more"))
		}
	}
	if findings == nil {
		return []Finding{ok(area, "its timeouts leave enough time to the driver")}
	}
	return findings
}

// shutdown returns how many seconds the runner waits for the end of its jobs.
func (c runnerConfig) shutdown() int {
	if c.ShutdownTimeout <= 0 {
		return defaultShutdown
	}
	return c.ShutdownTimeout
}

// checkLeast reports the times that are too short for a stage.
func checkLeast(area string, c custom) []Finding {
	var findings []Finding
	for _, t := range []struct {
		key         string
		value       *int
		least, want int
	}{
		{"config_exec_timeout", c.ConfigExecTimeout, leastOther, 30},
		{"prepare_exec_timeout", c.PrepareExecTimeout, leastPrepare, 120},
		{"cleanup_exec_timeout", c.CleanupExecTimeout, leastOther, 60},
		{"graceful_kill_timeout", c.GracefulKillTimeout, leastGrace, 15},
		{"force_kill_timeout", c.ForceKillTimeout, 1, 5},
	} {
		if t.value != nil && *t.value < t.least {
			findings = append(findings, fix(idTimes, area, fmt.Sprintf("%s is %d s, the driver may need %d", t.key, *t.value, t.least), fmt.Sprintf("set %s = %d", t.key, t.want)))
		}
	}
	return findings
}

// or returns a setting, or the runner's default.
func or(value *int, standard int) int {
	if value == nil {
		return standard
	}
	return *value
}
