package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// Secrets that helpers give.
const (
	helperPassword = "a-password-of-the-helper-that-nobody-may-see"
	helperLogin    = "a-login-of-the-helper-that-nobody-may-see"
	helperToken    = "a-token-of-the-helper-that-nobody-may-see"
)

// ownHelper is a helper of our own format. It refuses the ref "release/0", and notes when it is asked to
// revoke what it gave.
const ownHelper = `#!/bin/sh
asked=$(cat)
case $asked in
*'"action":"revoke"'*) printf '%s\n' "$asked" >> DIR/revoked; exit ;;
*'"ref":"release/0"'*) echo '{"version":1,"error":{"class":"author","message":"no database for this ref","help":"merge it"}}'; exit 1 ;;
esac
echo "user $(id -u), giving ` + helperPassword + ` for $asked" | sed 's/"claims.*id_token/.../' >&2
setsid sleep 86399 &
cat <<'END'
{"version":1,"env":{"PGUSER":"alpha","PGPASSWORD":"` + helperPassword + `"},"plain":["PGUSER"],
 "files":{"PGKEY":{"name":"client.key","content":"` + helperPassword + `-2\n"}},"expires":"2091-02-03T04:05:06Z"STATE}
END
`

// helpers are sources of helpers, with what the answer of the first has in addition.
func (p *policyWorld) helpers(t *testing.T, state string) string {
	t.Helper()
	var sources strings.Builder
	for _, one := range []struct{ name, script, keys string }{
		{"db", strings.NewReplacer("DIR", p.dir, "STATE", state).Replace(ownHelper), `sets = ["PGUSER", "PGPASSWORD", "PGKEY"]`},
		{"images", "#!/bin/sh\necho '{\"ServerURL\":\"x\",\"Username\":\"me\",\"Secret\":\"" + helperLogin + "\"}'\n", "format = \"docker\"\ninput = \"r.example.com\""},
		{"cluster", "#!/bin/sh\necho '{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"" + helperToken + "\"}}'\n", `format = "kubernetes"`},
	} {
		path := filepath.Join(p.dir, one.name)
		kit.Must(t, os.WriteFile(path, []byte(one.script), 0o755))
		fmt.Fprintf(&sources, "[[tenant.source]]\nname = %q\nprovider = \"exec\"\ncommand = [%q]\n%s\n", one.name, path, one.keys)
	}
	return sources.String()
}

// useHelpers is a script that prints all that helpers give, and where it is.
var useHelpers = []string{
	`echo "$PGUSER has $PGPASSWORD in $(basename "$PGKEY"): $(cat "$PGKEY"), until $ROLECALL_EXPIRES"`,
	`echo "in $(basename "$DOCKER_CONFIG"): $(cat "$DOCKER_CONFIG/config.json"), $(sed 's/.*"auth":"//; s/".*//' "$DOCKER_CONFIG/config.json" | base64 -d)"`,
	`echo "$KUBE_TOKEN in $(basename "$KUBE_TOKEN_FILE"): $(cat "$KUBE_TOKEN_FILE")"`,
	`(echo x > "$DOCKER_CONFIG/x") 2>/dev/null || echo "closed to $(id -u)"`,
}

// given is what useHelpers prints.
var given = []string{
	"\nalpha has [MASKED] in .rolecall.db.client.key: [MASKED]", "until 20",
	`in .rolecall.images.docker: {"auths":{"r.example.com":{"auth":"[MASKED]"}}}, me:[MASKED]`,
	"\n[MASKED] in .rolecall.cluster.token: [MASKED]\n",
}

// TestHelpers: a job has what the helpers of its tenant give, beside its credentials: in variables and
// files, masked and in no upload. The log has what a helper says, and why it refuses a job.
func TestHelpers(t *testing.T) {
	t.Parallel()
	p := newIsolatedWorld(t)
	p.serveAs(t, "", p.helpers(t, ""))
	job := p.alpha(append([]string{p.s3("put alpha key text")}, useHelpers...)...)
	job.AfterScript = []string{`echo "after: $PGPASSWORD $(basename "$DOCKER_CONFIG") $(basename "$BUILDX_CONFIG")"`}
	log := p.succeed(t, sharedToken, job)
	contains(t, log, append(given, "\nclosed to ", "\nafter: [MASKED] .rolecall.images.docker buildx\n",
		"EXEC credentials of tenant alpha, valid until 2091-02-03T04:05:06Z", "  helper:   "+p.dir+"/db\n", "  sets:     PGKEY PGPASSWORD PGUSER\n",
		`The helper says: user 0, giving [MASKED] for {"version":1,"action":"get","tenant":"alpha","source":"db"`)...)
	for _, secret := range []string{helperPassword, helperLogin, helperToken} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s:\n%s", secret, log)
		}
	}
	p.settle(t)
	job.Script, job.AfterScript = []string{`cp "$DOCKER_CONFIG/config.json" "$KUBE_TOKEN_FILE" .`}, nil
	job.Artifacts = []coordinator.Artifact{{Name: "out", Paths: []string{"*"}}}
	contains(t, p.fail(t, sharedToken, job), "login to a registry", "RC108")
	job.Artifacts = nil
	p.settle(t)
	job.Variables = append(job.Variables, coordinator.Variable{Key: "DOCKER_CONFIG", Value: "/x"})
	contains(t, p.fail(t, sharedToken, job), "RC106", "DOCKER_CONFIG")
	p.settle(t)
	other := p.alpha("echo started")
	other.Ref = "release/0"
	log = p.fail(t, sharedToken, other)
	contains(t, log, "the helper refuses this job", "no database for this ref", "merge it", "RC103")
	if strings.Contains(log, "started") || running("sleep 86399") {
		t.Errorf("a script or what a helper has left runs:\n%s", log)
	}
}

// running reports whether a process has that command line.
func running(command string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, _ := os.ReadFile(file)
		if strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")) == command {
			return true
		}
	}
	return false
}

// TestHelpersOfImages: a job with an image has it all in its container.
func TestHelpersOfImages(t *testing.T) {
	t.Parallel()
	w := newContainerWorld(t, "")
	w.serveAs(t, "", w.helpers(t, ""))
	contains(t, w.succeed(t, sharedToken, w.alpha(useHelpers...)), given...)
}
