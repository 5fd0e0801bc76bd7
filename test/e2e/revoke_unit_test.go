package e2e_test

import (
	"strings"
	"testing"

	"rolecall/test/kit"
)

// leasing is a helper that gives a password, and can revoke it only where /srv/back is there.
const leasing = `#!/bin/sh
case $(cat) in
*'"action":"revoke"'*) [ -e /srv/back ] || exit 2; echo revoked >> /run/revoked ;;
*) echo '{"version":1,"env":{"PGPASSWORD":"a-password-of-the-helper"},"expires":"2091-02-03T04:05:06Z","state":"lease-1"}' ;;
esac
`

// checkRevocation lets a job have what cannot be revoked at its end: the units revoke it later, with
// the rights that they have.
func (h host) checkRevocation(t *testing.T) {
	t.Helper()
	h.write(t, "/usr/local/libexec/leasing", leasing, 0o755)
	h.sh(t, "cp -p "+policyFile+" /root/policy")
	defer h.sh(t, "cp -p /root/policy "+policyFile)
	h.sh(t, `awk '/^\[\[tenant\]\]/ && ++n == 2 { printf "[[tenant.source]]\nname = \"db\"\nprovider = \"exec\"\ncommand = [\"/usr/local/libexec/leasing\"]\nsets = [\"PGPASSWORD\"]\n" } { print }' /root/policy > `+policyFile)
	run := h.enqueue(sharedToken, h.shop("alpha", `echo "it has $PGPASSWORD"`))
	if result := wait(t, run); result.State != "success" {
		t.Fatalf("%+v; log:\n%s", result, run.Text())
	}
	contains(t, run.Text(), "it has [MASKED]")
	kit.Await(t, "the runner's log says what is not revoked", func() bool {
		return strings.Contains(h.sh(t, "journalctl --no-pager -u gitlab-runner"), "the credential exec db of job ")
	})
	h.sh(t, "systemctl start rolecall-sweep.service; sleep 1; test ! -e /run/revoked; touch /srv/back; systemctl start rolecall-sweep.service")
	kit.Await(t, "the unit has revoked it", func() bool {
		_, err := h.Run(t.Context(), "test -e /run/revoked")
		return err == nil
	})
	if left := h.sh(t, "ls /run/rolecall/revocations"); left != "" {
		t.Errorf("%s is held", left)
	}
}
