package admin_test

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/test/kit"
)

// containers returns a world with containers, in which the job has an image and a service,
// and a login.
func containers(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.policy = strings.NewReplacer("[gitlab]", "builds_dir = \"/b\"\ncache_dir = \"/c\"\n[gitlab]", "[defaults]", "[containers]\nengine = \"podman\"\n[defaults]\nimages = [\"r.example.com/ci/**\"]\nservices = [\"docker.io/library/*:*\"]\nrun_as = \"rolecall-no-such\"").Replace(w.policy)
	w.sent = map[string]any{
		"image": map[string]any{"name": "r.example.com/ci/a:1"}, "services": []any{map[string]any{"name": "postgres:16"}},
		"credentials": []any{map[string]any{"type": "registry", "url": "r.example.com", "username": "u", "password": "SECRET"}},
	}
	return w
}

// TestExplainContainers: the answer has image, services, logins without their passwords,
// and what each rule says.
func TestExplainContainers(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "containers, which only root can run")
	w := containers(t)
	got := w.explain(t, w.token())
	for _, says := range []string{
		"allowed: tenant alpha", "\nimage: r.example.com/ci/a:1\nservice: docker.io/library/postgres:16\nlogin: r.example.com, of the job\n",
		"alpha   images         r.example.com/ci/**", "alpha   max_services   5", "alpha   digest_only    false",
	} {
		if got.code != 0 || !strings.Contains(got.out, says) || strings.Contains(got.out+got.errors, "SECRET") {
			t.Errorf("exit code %d, want %q in\n%s%s", got.code, says, got.out, got.errors)
		}
	}
	w.sent["image"] = map[string]any{"name": "alpine:3"}
	got = w.explain(t, w.token())
	for _, says := range []string{
		`refused [author]: tenant "alpha" refuses the image of this job: rule images; choose one that is`, "rule docker.io/library/alpine:3 is not among the images",
		"allowed r.example.com/ci/** signature", "alpha images r.example.com/ci/** docker.io/library/alpine:3 NO",
	} {
		if got.code != 1 || !strings.Contains(strings.Join(strings.Fields(got.out), " "), says) || strings.Contains(got.out, "\nimage: ") {
			t.Errorf("exit code %d, want %q in\n%s%s", got.code, says, got.out, got.errors)
		}
	}
}

// TestExplainContainersJSON: the same as JSON.
func TestExplainContainersJSON(t *testing.T) {
	t.Parallel()
	kit.NeedRoot(t, "containers, which only root can run")
	type answer struct {
		Image            string
		Services, Logins []string
	}
	w := containers(t)
	var got answer
	result := w.explain(t, w.token(), "--json")
	if err := json.Unmarshal([]byte(result.out), &got); err != nil {
		t.Fatalf("%v: %+v", err, result)
	}
	if diff := cmp.Diff(answer{"r.example.com/ci/a:1", []string{"docker.io/library/postgres:16"}, []string{"r.example.com, of the job"}}, got); diff != "" {
		t.Error(diff)
	}
}

// TestExplainContainersNotRoot: a job with an image is refused where the driver is not root.
func TestExplainContainersNotRoot(t *testing.T) {
	const nobody = 65534
	if os.Geteuid() == 0 && !kit.InChild(t, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}) {
		return
	}
	t.Setenv("TMPDIR", "/tmp") // that of a child is open to all, and no place for a policy file
	w := containers(t)
	got := w.explain(t, w.token())
	if says := "refused [runner-admin]: the runner of this job is not root"; got.code != 1 || !strings.Contains(got.out, says) {
		t.Errorf("exit code %d, want %q in\n%s%s", got.code, says, got.out, got.errors)
	}
}
