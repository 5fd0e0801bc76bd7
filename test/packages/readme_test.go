package packages_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/document"
	"rolecall/test/kit"
)

// TestReadme sets up a fresh Debian by the README's letter, with the servers, the role and the
// token of this test: its last command finds nothing to fix, and a job is alpha's.
func TestReadme(t *testing.T) {
	t.Parallel()
	now := dist(t, distVariable)
	h := boot(t)
	h.startRunner(t)
	deb := one(t, now, driverDeb)
	content, err := os.ReadFile(deb)
	kit.Must(t, err)
	h.write(t, "/root/dist/"+filepath.Base(deb), string(content), 0o644)
	h.write(t, "/root/token", token+"\n", 0o600)
	own := strings.NewReplacer("--gitlab https://gitlab.example.com", "--gitlab "+h.gitlab.URL()+" --audience "+audience,
		"arn:aws:iam::111122223333:role/deploy-alpha", h.minio.RoleARN("alpha"), "apt-get install", "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends")
	last := ""
	document.Run(t, "README.md", "Install", func(s document.Step) {
		if s.Command != "make packages" { // check-packages has made them
			last = h.sh(t, "cd /root && "+own.Replace(s.Command)+" < /dev/null || [ $? = 3 ]") // 3: there is something to look at
		}
	})
	if !strings.Contains(last, "0 to fix, ") {
		t.Errorf("the last command of the README:\n%s", last)
	}
	job := coordinator.Job{Script: []string{`s3job -endpoint "$S3_URL" put alpha first hello || exit 1`, "id -un"}, Protected: true}
	run := h.enqueue(job)
	succeeds(t, run)
	if !strings.Contains(run.Text(), "\nci-alpha\n") {
		t.Errorf("the log:\n%s", run.Text())
	}
}
