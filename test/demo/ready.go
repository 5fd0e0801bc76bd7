package main

import (
	"errors"
	"fmt"
	"os/exec"

	"rolecall/test/lab"
)

// programs are the names of the binaries that the jobs of the pipeline need. The Makefile names
// them too.
func programs(p pipeline) []string {
	names := []string{"gitlab-runner", "s3job", "config", "prepare", "run", "cleanup", "gate"}
	if p.image() != "" {
		names = append(names, "registry", "credential")
	}
	return names
}

// ready returns all that the demo lacks on this host.
func (d *demo) ready(p pipeline) error {
	var errs []error
	for _, program := range []string{"bash", "git"} {
		if _, err := exec.LookPath(program); err != nil {
			errs = append(errs, fmt.Errorf("%s is missing: install it, such as by apt-get install %[1]s", program))
		}
	}
	needs := programs(p)
	if d.sts == minio {
		needs = append(needs, "minio")
	}
	_, err := lab.Find(needs...)
	return errors.Join(append(errs, err)...)
}
