package e2e_test

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/test/auditlog"
	"rolecall/test/coordinator"
	"rolecall/test/document"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// brokerUnit is the unit, and statusURL where it says how it is.
const (
	brokerUnit = "rolecall-broker.service"
	statusURL  = "http://127.0.0.1:9464"
)

// The users that systemd takes for DynamicUser=, systemd.exec(5).
const (
	firstDynamic = 61184
	lastDynamic  = 65519
)

// TestBrokerUnit: on a fresh Debian, make install and one command of docs/broker.md start the
// broker, as a user of its own in its sandbox. It serves, reloads, and ends gracefully.
func TestBrokerUnit(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "the unit of the broker")
	if !kit.InNetwork(t, "the unit of the broker") {
		return
	}
	h := newHost(t)
	h.make(t, "install")
	sts := holdSTS(t, h.recorder.URL())
	policy := h.own(tomlOf(t, "../../docs/broker.md", "max_token_age"))
	h.write(t, policyFile, policy, 0o644)
	h.write(t, "/etc/systemd/system/rolecall-broker.service.d/env.conf", "[Service]\nEnvironment=AWS_REGION=eu-central-1 AWS_ENDPOINT_URL_STS="+sts.url+"\n", 0o644)
	if out := h.sh(t, "systemctl daemon-reload; systemd-analyze verify --man=no "+brokerUnit); out != "" {
		t.Errorf("systemd complains of the unit:\n%s", out)
	}
	broker := h.startUnit(t)
	token := h.tokenOf(t, "shop")
	first := settled(t, broker, "/v1/aws/alpha", token)
	if first.status != http.StatusOK {
		t.Fatalf("%+v\n%s", first, h.journal(t))
	}
	if again := ask(t, broker, "/v1/aws", token); again.status != http.StatusOK {
		t.Errorf("%+v", again)
	}
	h.checkProcess(t)
	log := h.sh(t, "cat /var/log/rolecall-broker/audit.jsonl; stat -c '%a %U' /var/log/rolecall-broker/audit.jsonl >&2")
	lines, _, _ := strings.Cut(log, "\n600 ")
	if n := auditlog.Check(t, []byte(lines+"\n")); n != 4 || strings.Contains(log, token) {
		t.Errorf("the audit log has %d lines:\n%s", n, log)
	}
	h.checkReload(t, broker, policy, token)
	h.checkPage(t, token)
	h.checkUnitStops(t, broker, sts)
}

// startUnit starts the broker by the commands of the page, of which the last asks whether it is ready.
func (h host) startUnit(t *testing.T) *lab.Broker {
	t.Helper()
	kit.NeedProgram(t, "curl", "curl")
	document.Run(t, "docs/broker.md", "A host with systemd", func(s document.Step) {
		switch {
		case strings.HasPrefix(s.Command, "curl "): // of this host, which shares its network
			until(t, time.Minute, "the broker is ready", func() bool {
				return exec.CommandContext(t.Context(), "sh", "-c", s.Command+" --fail").Run() == nil
			})
		case s.Command != "":
			h.sh(t, s.Command+" || { systemctl status --no-pager -l rolecall-broker; exit 1; }")
		}
	})
	return &lab.Broker{URL: "http://" + kit.AddressEKS, Status: statusURL}
}

// checkPage lets the broker serve older clients too, as the page says, and reads its help.
func (h host) checkPage(t *testing.T, token string) {
	t.Helper()
	document.Run(t, "docs/broker.md", "Versions of SDKs", func(s document.Step) {
		h.write(t, "/root/drop-in", s.Content, 0o644)
		h.sh(t, `script -qec "SYSTEMD_EDITOR='cp /root/drop-in' `+strings.TrimPrefix(s.Command, "sudo ")+`" /dev/null; systemctl restart rolecall-broker`)
	})
	until(t, time.Minute, "the broker serves at the address of ECS", func() bool {
		got, err := try(t.Context(), &lab.Broker{URL: "http://" + kit.AddressECS}, "/v1/aws/alpha", token)
		return err == nil && got.status == http.StatusOK
	})
	document.Run(t, "docs/broker.md", "Flags", func(s document.Step) { contains(t, h.sh(t, s.Command), "--listen", "--audit-log") })
}

// tomlOf returns the block of TOML of a document that has a word.
func tomlOf(t *testing.T, document, word string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	kit.Must(t, err)
	for i, part := range strings.Split(string(text), "\n```") {
		if content, ok := strings.CutPrefix(part, "toml\n"); ok && i%2 == 1 && strings.Contains(content, word) {
			return content
		}
	}
	t.Fatalf("%s has no such block", document)
	return ""
}

// tokenOf returns the ID token of a job of the project acme/NAME that never runs.
func (h host) tokenOf(t *testing.T, name string) string {
	t.Helper()
	run := h.gitlab.Enqueue(nobodyToken, coordinator.Job{
		Project: coordinator.Project{ID: 42, Path: "acme/" + name}, Protected: true, IDTokens: map[string]string{brokerToken: audience("alpha")},
	})
	token, err := run.SignIDToken(brokerToken)
	kit.Must(t, err)
	return token
}

// journal returns what the broker has logged.
func (h host) journal(t *testing.T) string {
	t.Helper()
	return h.sh(t, "journalctl --no-pager -o cat -u "+brokerUnit)
}

// checkProcess fails the test unless the broker has a user of its own, and one capability.
func (h host) checkProcess(t *testing.T) {
	t.Helper()
	status := h.sh(t, `cat /proc/$(systemctl show -P MainPID `+brokerUnit+`)/status`)
	const bindService = "0000000000000400" // CAP_NET_BIND_SERVICE, capabilities(7)
	for _, want := range []string{"CapEff:\t" + bindService, "CapPrm:\t" + bindService, "CapBnd:\t" + bindService, "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(status, "\n"+want) {
			t.Errorf("no %q in\n%s", want, status)
		}
	}
	_, ids, _ := strings.Cut(status, "\nUid:\t")
	first, _, _ := strings.Cut(ids, "\t")
	if uid, err := strconv.Atoi(first); err != nil || uid < firstDynamic || uid > lastDynamic {
		t.Errorf("it runs as user %q, want one of its own:\n%s", first, status)
	}
}

// checkReload fails the test unless a broken policy file changes nothing, and a good one decides
// anew.
func (h host) checkReload(t *testing.T, broker *lab.Broker, policy, token string) {
	t.Helper()
	for _, change := range []struct {
		from, to, log string
		status        int
	}{
		{"max_token_age", "max_age", "nothing is reloaded", http.StatusOK},
		{"acme/shop", "acme/other", "the policy file and the certificate are reloaded", http.StatusForbidden},
		{"acme/shop", "acme/shop", "the policy file and the certificate are reloaded", http.StatusOK},
	} {
		before := strings.Count(h.journal(t), change.log)
		h.write(t, policyFile, strings.ReplaceAll(policy, change.from, change.to), 0o644)
		document.RunSpans(t, "docs/broker.md", "A host with systemd", func(command string) { h.sh(t, command) })
		until(t, time.Minute, change.log, func() bool { return strings.Count(h.journal(t), change.log) > before })
		if got := settled(t, broker, "/v1/aws/alpha", token); got.status != change.status {
			t.Errorf("after %s: %+v", change.to, got)
		}
	}
}

// checkUnitStops stops the broker while it waits for STS: who has asked gets an answer, and the
// unit has not failed.
func (h host) checkUnitStops(t *testing.T, broker *lab.Broker, sts *heldSTS) {
	t.Helper()
	sts.held.Store(true)
	token := h.tokenOf(t, "shop")
	answered := make(chan struct{})
	var got reply
	var failed error
	go func() {
		defer close(answered)
		got, failed = try(t.Context(), broker, "/v1/aws/alpha", token)
	}()
	select {
	case <-sts.asked:
	case <-time.After(time.Minute):
		t.Fatal("STS is not asked")
	}
	h.sh(t, "systemctl stop rolecall-broker")
	<-answered
	if failed != nil || got.status != http.StatusServiceUnavailable || got.code() != "Later" {
		t.Errorf("who waited gets %+v, %v", got, failed)
	}
	if state := h.sh(t, "systemctl show -P Result -P ActiveState rolecall-broker"); state != "success\ninactive\n" && state != "inactive\nsuccess\n" {
		t.Errorf("the unit that was stopped is %q:\n%s", state, h.journal(t))
	}
	if conn, err := net.DialTimeout("tcp", kit.AddressEKS+":80", time.Second); err == nil {
		_ = conn.Close()
		t.Error("something listens where the broker was")
	}
}
