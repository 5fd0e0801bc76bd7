package lab

import (
	"context"
	_ "embed" // the unit
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// unit is the unit of GitLab Runner's package.
//
//go:embed gitlab-runner.service
var unit string

// Write writes a file of the Debian with that mode, and makes the folders above it.
func (d *Debian) Write(path, content string, mode os.FileMode) error {
	path = filepath.Join(d.Root, path)
	return errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode))
}

// InstallRunner does what GitLab Runner's package does, and tells the runner's service that STS
// is at the URL sts. It also installs the client of S3, as an admin installs the AWS CLI. The
// Debian must have been started.
func (d *Debian) InstallRunner(ctx context.Context, sts string) error {
	parts, err := Parts()
	if err != nil {
		return err
	}
	for path, program := range map[string]string{"/usr/bin/gitlab-runner": parts.GitLabRunner, "/usr/local/bin/s3job": parts.S3Job} {
		content, readErr := os.ReadFile(program)
		err = errors.Join(err, readErr, d.Write(path, string(content), 0o755))
	}
	err = errors.Join(err, d.Write("/etc/systemd/system/gitlab-runner.service", unit, 0o644),
		d.Write("/etc/systemd/system/gitlab-runner.service.d/env.conf", "[Service]\nEnvironment=AWS_REGION=eu-central-1 AWS_ENDPOINT_URL_STS="+sts+"\n", 0o644))
	if err != nil {
		return err
	}
	out, err := d.Run(ctx, "useradd --system --shell /bin/bash --comment 'GitLab Runner' --create-home --skel /dev/null gitlab-runner && mkdir -m 0700 /etc/gitlab-runner")
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
