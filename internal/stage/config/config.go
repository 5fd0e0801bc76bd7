// Package config is the stage that tells GitLab Runner how to run the job.
package config

import (
	"encoding/json"

	"rolecall/internal/creds/store"
	"rolecall/internal/job"
	"rolecall/internal/stage"
)

// output is what the runner reads from the stage's standard output.
//
// https://docs.gitlab.com/runner/executors/custom/#config
type output struct {
	Driver            driver            `json:"driver"`
	BuildsDirIsShared bool              `json:"builds_dir_is_shared"`
	Shell             string            `json:"shell"`
	JobEnv            map[string]string `json:"job_env"`
}

// driver names the driver in the job log.
type driver struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Run chooses where the state of the job is kept and writes one JSON object.
// With builds_dir_is_shared the runner gives each of the jobs that run at once a
// directory of its own.
func Run(c *stage.Call) error {
	if _, err := c.Rules(); err != nil {
		return err
	}
	root, err := store.Root("")
	if err != nil {
		return err
	}
	return json.NewEncoder(c.Stdout).Encode(output{
		Driver:            driver{"rolecall", stage.Version},
		BuildsDirIsShared: true,
		Shell:             "bash",
		JobEnv:            map[string]string{job.StoreVariable: root},
	})
}
