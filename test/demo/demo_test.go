package main

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rolecall/test/kit"
)

// runDemo runs the demo with a pipeline and returns what it shows.
func runDemo(t *testing.T, sts, yaml string) (string, error) {
	t.Helper()
	var out syncBuffer
	d := demo{screen: screen{w: &out}, sts: sts}
	err := d.run(t.Context(), yaml)
	if d.world != nil {
		if err := d.world.close(); err != nil {
			t.Error(err)
		}
	}
	return out.String(), err
}

// The demos run one after the other: the ids of their jobs are the same.
func TestDemo(t *testing.T) {
	t.Run("own", func(t *testing.T) {
		checkDemo(t, own, "the project's own stand-ins for STS and S3", "make demo STS=minio", "arn:aws:iam::111122223333:role/deploy-alpha")
	})
	t.Run("MinIO", func(t *testing.T) { checkDemo(t, minio, "MinIO, the STS and S3", "arn:minio:iam:::role/") })
}

// checkDemo runs the demo with servers that show these texts.
func checkDemo(t *testing.T, sts string, texts ...string) {
	t.Helper()
	shown, err := runDemo(t, sts, ciYAML)
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	for _, want := range texts {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in:\n%s", want, shown)
		}
	}
	rest := shown
	for _, want := range []string{
		"Two deployments", "deploy:", "Starting", "has its credentials, in ",
		"The log of deploy: [alpha]", "deployed by alpha", "AccessDenied",
		"The log of deploy: [beta]", "deployed by beta", "AccessDenied",
		"Who each one was", "bucket alpha", "What is left", ", 0 with a secret", "is left.",
	} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("no %q, at its place, in:\n%s", want, shown)
		}
		rest = after
	}
	for _, absent := range []string{"section_", "\x1b", "\r"} {
		if strings.Contains(shown, absent) {
			t.Errorf("%q is shown", absent)
		}
	}
}

// TestMissing: what the demo lacks is said at once, all of it.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	shown, err := runDemo(t, own, ciYAML)
	want := "bash is missing: install it, such as by apt-get install bash\ngit is missing: install it, such as by apt-get install git"
	if err == nil || err.Error() != want || shown != "" {
		t.Errorf("got %v, want %s; shown:\n%s", err, want, shown)
	}
}

// TestServers: a name of servers that the demo does not have is refused.
func TestServers(t *testing.T) {
	t.Parallel()
	if err := errors.Join(checkSTS("own"), checkSTS("minio")); err != nil {
		t.Error(err)
	}
	const want = "STS=localstack is not known: STS is own, the project's own stand-ins, or minio"
	if err := checkSTS("localstack"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestDemoImage: the same in an image.
func TestDemoImage(t *testing.T) {
	if !kit.InUnified(t, "the demo in containers") {
		return
	}
	shown, err := runDemo(t, own, imageYAML)
	if err != nil {
		t.Fatalf("%v\n%s", err, shown)
	}
	for _, want := range []string{"image:", "/amazon/aws-cli:2.25.2", "each in a container of its own", "hello from the image amazon/aws-cli:2.25.2\n", "deployed by alpha", "deployed by beta", ", 0 with a secret", "no container and no process is left."} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in:\n%s", want, shown)
		}
	}
}

// TestDemoFails has pipelines in which something is not as the demo promises.
func TestDemoFails(t *testing.T) {
	for _, test := range []struct{ name, instead, want string }{
		{"a job keeps its secrets", "cp $ROLECALL_ENV_FILE ../kept", "secrets are left in:"},
		{"a job uploads its secrets", "cp $ROLECALL_ENV_FILE kept", "script_failure"},
		{"a job fails", "exit 3", "script_failure"},
		{"a job gets no artifact", "rm deployed.txt", "no artifact"},
		{"a job uploads its database", "echo $DB_URL > kept", "script_failure"},
		{"a job keeps its database", "echo $DB_URL > ../kept", "secrets are left in:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			yaml := strings.Replace(ciYAML, "sleep 2 ", test.instead+" ", 1)
			shown, err := runDemo(t, own, yaml+"    - sleep 1\n")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q; shown:\n%s", err, test.want, shown)
			}
		})
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	got, err := parse(ciYAML)
	if err != nil {
		t.Fatal(err)
	}
	deploy := got.definition("deploy")
	if len(deploy.Script) != 7 || deploy.Script[6] != "sleep 2" {
		t.Errorf("script %q", deploy.Script)
	}
	deploy.Script = nil
	want := definition{
		Extends: ".tenant", Stage: "deploy", Environment: "$TENANT",
		Variables: map[string]string{"ROLECALL_EXPECT": "DB_URL DB_VERSION"},
		IDTokens:  map[string]struct{ Aud string }{"GITLAB_OIDC_TOKEN": {"https://$TENANT.example"}},
	}
	want.Parallel.Matrix = []map[string]string{{"TENANT": "alpha"}, {"TENANT": "beta"}}
	want.Artifacts.Untracked = true
	if diff := cmp.Diff(want, deploy); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"database", "deploy"}, got.Stages); diff != "" || len(got.of("database")) != 1 {
		t.Error(diff)
	}
	if _, err := parse(ciYAML + "  retry: 2\n"); err == nil {
		t.Error("a keyword that the demo does not know is no error")
	}
}

func TestRenderLog(t *testing.T) {
	t.Parallel()
	const clear = "\r\x1b[0K"
	log := "Running\n" +
		"section_start:1:prepare" + clear + clear + "Preparing\n" +
		"section_start:2:rolecall[collapsed=true]" + clear + "AWS credentials\n" +
		"  tenant: alpha\n" +
		"section_end:3:rolecall" + clear + "\n" +
		"prepared\n" +
		"section_end:4:prepare" + clear + "section_start:4:script" + clear + "Executing\n" +
		"$ true\n" +
		"section_end:5:script" + clear + "done\n"
	want := "Running\nPreparing\n  AWS credentials\n      tenant: alpha\n  prepared\nExecuting\n  $ true\ndone\n"
	if diff := cmp.Diff(want, renderLog(log)); diff != "" {
		t.Error(diff)
	}
}

// syncBuffer is a buffer for the lines of jobs that run at once.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the buffer.
func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String is what was written.
func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
