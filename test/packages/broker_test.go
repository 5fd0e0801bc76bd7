package packages_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// The unit of the broker, and its policy file.
const (
	brokerUnit   = "rolecall-broker.service"
	brokerPolicy = `[gitlab]
issuer = "GITLAB"

[[tenant]]
name = "alpha"
role_arn = "ROLE"
audience = "AUDIENCE"
projects = ["acme/shop"]
`
)

// TestBrokerLife leads the broker of a host through years: nothing starts it before its admin does;
// an upgrade puts the new one in the place of the one that runs, and starts none that does not;
// removal ends it, and purge leaves what the admin has written, and the audit log.
func TestBrokerLife(t *testing.T) {
	t.Parallel()
	now, next := dist(t, distVariable), dist(t, nextVariable)
	if !kit.InNetwork(t, "the package of the broker") {
		return
	}
	h := boot(t)
	h.startServers(t)
	before := h.files(t)
	h.install(t, one(t, now, brokerDeb))
	h.brokerIs(t, "disabled", "inactive")
	policy := strings.NewReplacer("GITLAB", h.gitlab.URL(), "ROLE", h.minio.RoleARN("alpha"), "AUDIENCE", audience).Replace(brokerPolicy)
	h.write(t, "/etc/rolecall/rolecall.toml", policy, 0o644)
	h.write(t, "/etc/systemd/system/"+brokerUnit+".d/env.conf", "[Service]\nEnvironment=AWS_REGION=eu-central-1 AWS_ENDPOINT_URL_STS="+h.recorder.URL()+"\n", 0o644)
	h.sh(t, "systemctl daemon-reload; systemctl enable --now "+brokerUnit)
	token := h.brokerToken(t)
	h.gives(t, token)
	old := h.runningBroker(t)
	h.install(t, one(t, next, brokerDeb))
	h.brokerIs(t, "enabled", "active")
	if upgraded := h.runningBroker(t); !strings.Contains(upgraded, " 99.0.0 ") || strings.Contains(old, " 99.0.0 ") {
		t.Errorf("before the upgrade %q runs, after it %q", old, upgraded)
	}
	h.gives(t, token)
	if content, err := os.ReadFile(filepath.Join(h.Root, "etc/rolecall/rolecall.toml")); err != nil || string(content) != policy {
		t.Errorf("the policy file: %v\n%s", err, content)
	}
	h.sh(t, "systemctl stop "+brokerUnit)
	h.install(t, one(t, now, brokerDeb))
	h.brokerIs(t, "enabled", "inactive")
	h.sh(t, "systemctl start "+brokerUnit)
	h.gives(t, token)
	h.checkBrokerGoes(t, before)
}

// brokerToken returns the ID token of a job of the project acme/shop, which no runner takes.
func (h host) brokerToken(t *testing.T) string {
	t.Helper()
	run := h.gitlab.Enqueue("glrt-nobody", coordinator.Job{
		Project: coordinator.Project{ID: 42, Path: "acme/shop"}, IDTokens: map[string]string{"AWS_CONTAINER_AUTHORIZATION_TOKEN": audience},
	})
	token, err := run.SignIDToken("AWS_CONTAINER_AUTHORIZATION_TOKEN")
	kit.Must(t, err)
	return token
}

// brokerIs fails the test unless systemd says that of the unit.
func (h host) brokerIs(t *testing.T, want ...string) {
	t.Helper()
	if got := strings.Fields(h.sh(t, "systemctl is-enabled "+brokerUnit+" || true; systemctl is-active "+brokerUnit+" || true")); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the broker is %q, want %q:\n%s", got, want, h.sh(t, "journalctl --no-pager -u "+brokerUnit+" | tail -20"))
	}
}

// runningBroker returns the version of the program that runs.
func (h host) runningBroker(t *testing.T) string {
	t.Helper()
	return h.sh(t, `"/proc/$(systemctl show -P MainPID `+brokerUnit+`)/exe" --version`)
}

// gives fails the test unless the broker gives a job of the tenant alpha its credentials, as soon as it
// answers.
func (h host) gives(t *testing.T, token string) {
	t.Helper()
	said := ""
	deadline := time.Now().Add(time.Minute)
	for !strings.Contains(said, `"AccessKeyId"`) {
		if time.Now().After(deadline) {
			t.Fatalf("the broker says %s\n%s", said, h.sh(t, "journalctl --no-pager -u "+brokerUnit+" | tail -20"))
		}
		time.Sleep(50 * time.Millisecond)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+kit.AddressEKS+"/v1/aws/alpha", http.NoBody)
		kit.Must(t, err)
		request.Header.Set("Authorization", token)
		answer, err := new(http.Client).Do(request)
		if err != nil {
			said = err.Error()
			continue
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		kit.Must(t, err)
		said = string(body)
	}
	issued := h.recorder.Issued()
	if last := issued[len(issued)-1]; last.RoleARN != h.minio.RoleARN("alpha") || !strings.Contains(said, last.AccessKeyID) {
		t.Errorf("the broker gives %s, and STS has issued %s of %s", said, last.AccessKeyID, last.RoleARN)
	}
}

// checkBrokerGoes removes and purges the package of a broker that runs.
func (h host) checkBrokerGoes(t *testing.T, before []string) {
	t.Helper()
	lines := h.sh(t, "grep -c . /var/log/rolecall-broker/audit.jsonl")
	h.sh(t, "dpkg --remove rolecall-broker 2>&1")
	if out, err := h.Run(t.Context(), "pidof rolecall-broker || ls /proc/[0-9]*/exe -l 2> /dev/null | grep rolecall-broker"); err == nil {
		t.Errorf("after the removal a broker runs: %s", out)
	}
	if conn, err := net.DialTimeout("tcp", kit.AddressEKS+":80", time.Second); err == nil {
		_ = conn.Close()
		t.Error("after the removal something listens where the broker was")
	}
	if said := h.sh(t, "dpkg --purge rolecall-broker 2>&1"); !strings.Contains(said, "rolecall-broker: the audit log stays: /var/log/rolecall-broker") {
		t.Errorf("purge says\n%s", said)
	}
	want := []string{"/etc/rolecall", "/etc/rolecall/rolecall.toml", "/etc/systemd/system/" + brokerUnit + ".d", "/etc/systemd/system/" + brokerUnit + ".d/env.conf"}
	left := more(before, h.files(t))
	if odd, gone := more(want, left), more(left, want); len(odd) > 0 || len(gone) > 0 {
		t.Errorf("purge has left %q, and removed %q", odd, gone)
	}
	if kept := h.sh(t, "grep -c . /var/log/rolecall-broker/audit.jsonl"); kept != lines || kept == "0\n" {
		t.Errorf("the audit log has %s lines, and had %s", kept, lines)
	}
	if failed := h.sh(t, "systemctl --failed --plain --no-legend"); failed != "" {
		t.Errorf("units that have failed: %s", failed)
	}
}
