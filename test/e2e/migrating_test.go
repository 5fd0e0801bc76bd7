package e2e_test

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"rolecall/test/coordinator"
	"rolecall/test/kit"
)

// written is a job of a document's pipeline.
type written struct {
	Script    []string
	Artifacts struct{ Paths []string }
	IDTokens  map[string]any `yaml:"id_tokens"`
	Needs     []string
}

// pipelines returns the jobs of each YAML block of a document, by name.
func pipelines(t *testing.T, document string) []map[string]written {
	t.Helper()
	content, err := os.ReadFile("../../docs/" + document)
	kit.Must(t, err)
	var all []map[string]written
	for i, part := range strings.Split(string(content), "\n```") {
		block, isYAML := strings.CutPrefix(part, "yaml\n")
		if !isYAML || i%2 == 0 {
			continue
		}
		jobs := map[string]written{}
		kit.Must(t, yaml.Unmarshal([]byte(block), &jobs))
		all = append(all, jobs)
	}
	return all
}

// TestMigrating: the pipeline before a migration is stopped at its artifact, the one after
// it works, and so does the line that the page has for scripts that cannot be changed.
func TestMigrating(t *testing.T) {
	t.Parallel()
	found := pipelines(t, "migrating.md")
	const blocks = 2
	if len(found) != blocks {
		t.Fatalf("the page has %d pipelines, want %d", len(found), blocks)
	}
	before, after := found[0]["get-aws-credentials"], found[1]["deploy"]
	if len(before.Script) == 0 || len(after.Script) == 0 || after.IDTokens == nil || after.Needs != nil || len(found[1]) != blocks {
		t.Fatalf("the page's jobs: %+v", found)
	}
	w := newWorldOfAWS(t)
	first := w.job("beta", append([]string{awsCLI}, before.Script...)...)
	first.Name, first.Artifacts = "get-aws-credentials: [beta]", []coordinator.Artifact{{Paths: before.Artifacts.Paths}}
	run := w.enqueue(sharedToken, first)
	if result := wait(t, run); result.FailureReason != "script_failure" || len(run.Artifacts()) > 0 {
		t.Errorf("the first job: %+v", result)
	}
	contains(t, run.Text(), `artifacts: ".aws.beta.env"`, "RC108")
	for _, script := range [][]string{after.Script, append([]string{`export $(cat "$ROLECALL_ENV_FILE" | xargs)`}, after.Script...)} {
		w.settle(t)
		deploy := append(append([]string{awsCLI}, script...), `echo "key ${AWS_ACCESS_KEY_ID:0:4}"`)
		contains(t, w.succeed(t, sharedToken, w.job("beta", deploy...)), "key ASIA", "AWS: tenant beta")
	}
}
