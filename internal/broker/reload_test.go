package broker_test

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// TestReload: a new policy file decides anew what is kept: the same costs nothing, another role is
// another session, and what it refuses ends.
func TestReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	first := w.ask("/v1/aws/alpha", token).keyOf(t)
	w.write(tenants + "# the same\n")
	w.Reload()
	if again := w.ask("/v1/aws/alpha", token).keyOf(t); again != first || len(w.sts.Requests()) != 1 {
		t.Errorf("the same policy: another session, %d calls of STS", len(w.sts.Requests()))
	}
	w.write(strings.ReplaceAll(tenants, "deploy-alpha", "deploy-other"))
	w.Reload()
	if other := w.settled("/v1/aws/alpha", token).keyOf(t); other == first {
		t.Error("another role: the same session")
	}
	if role := w.sts.Requests()[1].Form.Get("RoleArn"); role != "arn:aws:iam::111122223333:role/deploy-other" || len(w.sts.Requests()) != 2 {
		t.Errorf("STS was asked %d times, at last for %s", len(w.sts.Requests()), role)
	}
	w.write(strings.ReplaceAll(tenants, "acme/deploy", "acme/else"))
	w.Reload()
	w.settled("/v1/aws/alpha", token).refused(t, "withdrawn", 403, "RC103", `tenant "alpha" refuses this job: rule projects`)
	w.write(tenants)
	w.Reload()
	w.settled("/v1/aws/alpha", token).keyOf(t)
	want := []string{"decision alpha", "issued alpha", "renewed alpha", "withdrawn alpha RC103", "decision alpha", "issued alpha"}
	if got := w.audited(); !slices.Equal(got, want) {
		t.Errorf("the audit log has %q", got)
	}
}

// TestReloadUnasked: what nobody asks for any more is withdrawn too.
func TestReloadUnasked(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	w.ask("/v1/aws/alpha", w.token(7, nil)).keyOf(t)
	w.write(strings.ReplaceAll(tenants, "acme/deploy", "acme/else"))
	w.Signal(syscall.SIGHUP)
	kit.Await(t, "a line that says that the session was withdrawn", func() bool {
		return slices.Contains(w.audited(), "withdrawn alpha RC103")
	})
}

// TestReloadOften: with --reload-every nobody needs to send a signal.
func TestReloadOften(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants, "--reload-every", "1s")
	token := w.token(7, nil)
	w.ask("/v1/aws/alpha", token).keyOf(t)
	w.write(strings.ReplaceAll(tenants, "acme/deploy", "acme/else"))
	kit.Await(t, "a refusal", func() bool { return w.settled("/v1/aws/alpha", token).status == 403 })
	if n := strings.Count(w.log.String(), "are reloaded"); n != 1 {
		t.Errorf("%d reloads:\n%s", n, w.log.String())
	}
}

// TestBrokenReload: a policy file that is missing or broken changes nothing, and the log and a
// metric say so.
func TestBrokenReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	first := w.ask("/v1/aws/alpha", token).keyOf(t)
	good, err := os.ReadFile(w.policy())
	kit.Must(t, err)
	for i, content := range []string{"", string(good[:len(good)/2]), string(good) + "[nonsense]\n", strings.Replace(string(good), "audit_log", "# audit_log", 1)} {
		kit.Must(t, os.WriteFile(w.policy(), []byte(content), 0o600))
		w.Reload()
		if n := strings.Count(w.log.String(), "nothing is reloaded, and what was in force stays: "); n != i+1 {
			t.Errorf("file %d: %d lines:\n%s", i, n, w.log.String())
		}
	}
	kit.Must(t, os.Remove(w.policy()))
	w.Reload()
	if again := w.ask("/v1/aws/alpha", token).keyOf(t); again != first || len(w.sts.Requests()) != 1 {
		t.Errorf("another session, %d calls of STS", len(w.sts.Requests()))
	}
	w.ask("/v1/aws/alpha", w.token(8, nil)).keyOf(t)
	if n := w.metric("rolecall_broker_reloads_total", "result", "failed"); n != 5 {
		t.Errorf("the metric says %v", n)
	}
}

// TestReloadUnchanged: a look at files that have not changed does nothing, and a signal decides anew
// all the same.
func TestReloadUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	for range 3 {
		w.Look()
	}
	if log := w.log.String(); strings.Contains(log, "are reloaded") {
		t.Errorf("the log:\n%s", log)
	}
	w.Reload()
	if n := strings.Count(w.log.String(), "are reloaded"); n != 1 || w.metric("rolecall_broker_reloads_total", "result", "ok") != 2 {
		t.Errorf("%d reloads:\n%s", n, w.log.String())
	}
}

// TestReloadKeys: a key that the file of keys does not have any more withdraws what it has signed.
func TestReloadKeys(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	other, err := coordinator.Start()
	kit.Must(t, err)
	defer other.Close()
	content, err := os.ReadFile(w.policy())
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(w.policy(), []byte(strings.Replace(string(content), "[gitlab]\n", fmt.Sprintf("[gitlab]\njwks_file = %q\n", w.file("keys")), 1)), 0o600))
	keys := func(of *coordinator.Server) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, of.URL()+"/oauth/discovery/keys", nil)
		kit.Must(t, err)
		kit.Must(t, os.WriteFile(w.file("keys"), []byte(w.do(request).body), 0o600))
	}
	keys(w.gitlab)
	w.Look()
	token := w.token(7, nil)
	w.settled("/v1/aws/alpha", token).keyOf(t)
	keys(other)
	w.Look()
	w.settled("/v1/aws/alpha", token).refused(t, "another key", 401, "RC102", "this is not an ID token of this job: no key of")
	w.settled("/v1/aws/alpha", w.token(8, nil)).refused(t, "a new token", 401, "RC102", "no key of")
}

// TestForeignIssuer: a token of an issuer or a key that is not the policy file's any more gets
// nothing, also if it had a session.
func TestForeignIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t).start(tenants)
	token := w.token(7, nil)
	w.ask("/v1/aws/alpha", token).keyOf(t)
	content, err := os.ReadFile(w.policy())
	kit.Must(t, err)
	kit.Must(t, os.WriteFile(w.policy(), []byte(strings.Replace(string(content), `issuer = "`+w.gitlab.Issuer(), `issuer = "https://gitlab.example.com`, 1)), 0o600))
	w.Reload()
	w.settled("/v1/aws/alpha", token).refused(t, "another issuer", 401, "RC102", "this is not an ID token of this job: its claim iss is")
	if got := w.audited(); !slices.Equal(got, []string{"decision alpha", "issued alpha", "withdrawn RC102"}) {
		t.Errorf("the audit log has %q", got)
	}
}
