package packages_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// helper gives the tenant beta a lease. When it has to revoke it, it stops the cleanup of that job,
// which goes on when somebody continues it.
const helper = `#!/bin/sh
case $(cat) in
*'"action":"get"'*) echo '{"version": 1, "env": {"DB_USER": "of-the-job"}, "plain": ["DB_USER"], "state": "lease"}' ;;
*)
  cleanup=$(cut -d " " -f 4 /proc/$PPID/stat) # revoke has started this, and cleanup has started revoke
  kill -STOP "$cleanup"
  echo "$cleanup" > /run/held-cleanup.new
  mv /run/held-cleanup.new /run/held-cleanup
  ;;
esac
`

// beta is the tenant that an admin adds to the policy file.
const beta = `
[[tenant]]
name = "beta"
run_as = "ci-beta"
role_arn = "ROLE"
audience = "AUDIENCE"
projects = ["acme/site"]

[[tenant.source]]
name = "db"
provider = "exec"
command = ["/usr/local/libexec/db"]
sets = ["DB_USER"]
`

// cache is the runner's cache on S3, which an admin adds to config.toml.
const cache = `
[runners.cache]
Type = "s3"
Shared = true

[runners.cache.s3]
ServerAddress = "SERVER"
AccessKey = "KEY"
SecretKey = "SECRET"
BucketName = "cache"
BucketLocation = "us-east-1"
Insecure = true
PathStyle = true
`

// setUp does what an admin does after the installation: rolecall init for the tenant alpha, then the
// tenant beta and settings of the runner by hand, and rolecall provision for the user of beta.
func (h host) setUp(t *testing.T) {
	t.Helper()
	h.write(t, "/root/token", token+"\n", 0o600)
	h.sh(t, "rolecall init --gitlab "+h.gitlab.URL()+" --audience "+audience+" --runner-token-file /root/token --tenant name=alpha,role="+h.minio.RoleARN("alpha")+",project=acme/shop")
	h.write(t, "/usr/local/libexec/db", helper, 0o755)
	h.add(t, "/etc/rolecall/rolecall.toml", beta, "ROLE", h.minio.RoleARN("beta"), "AUDIENCE", ofBeta)
	h.sh(t, "rolecall provision")
	root, err := h.minio.Root().Options().Credentials.Retrieve(t.Context())
	kit.Must(t, err)
	h.add(t, "/etc/gitlab-runner/config.toml", cache, "SERVER", strings.TrimPrefix(h.recorder.URL(), "http://"), "KEY", root.AccessKeyID, "SECRET", root.SecretAccessKey)
	// Parts of jobs are held for as long as apt takes.
	h.sh(t, `sed -i -e 's/^concurrent = .*/concurrent = 16/' -e 's/^name = .*/&\nrequest_concurrency = 8/' -e 's/_exec_timeout = .*/_exec_timeout = 600/' /etc/gitlab-runner/config.toml
systemctl daemon-reload
systemctl start gitlab-runner`)
}

// add adds a text to a file of the host. Replaced are pairs of words, and what stands for them.
func (h host) add(t *testing.T, path, text string, replaced ...string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(h.Root, path), os.O_WRONLY|os.O_APPEND, 0)
	kit.Must(t, err)
	_, err = strings.NewReplacer(replaced...).WriteString(f, text)
	kit.Must(t, errors.Join(err, f.Close()))
}
