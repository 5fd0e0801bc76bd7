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
	Artifacts struct {
		Paths   []string
		Reports struct{ Dotenv string }
	}
	IDTokens  map[string]any `yaml:"id_tokens"`
	Variables map[string]string
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
	const blocks, jobs = 4, 2
	if len(found) != blocks {
		t.Fatalf("the page has %d pipelines, want %d", len(found), blocks)
	}
	before, after := found[0]["get-aws-credentials"], found[1]["deploy"]
	if len(before.Script) == 0 || len(after.Script) == 0 || after.IDTokens == nil || after.Needs != nil || len(found[1]) != jobs {
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

// TestMigratingDotenv: the values of a report reach the next job, before a migration and after it.
// After it, the secret is in no log, and a job that finds no values fails before its script.
func TestMigratingDotenv(t *testing.T) {
	t.Parallel()
	found := pipelines(t, "migrating.md")
	before, after := found[2], found[3]
	p := newPolicyWorld(t)
	p.write(t, p.policyText()+"[handover]\nstore = \"local\"\n")
	const url = "postgres://u:correcthorsebattery@db.example/app?sslmode=verify-full"
	job := func(of written, id int64, name string) coordinator.Job {
		// The work tree has no repository: what the pipeline finds in it is made here.
		made := append([]string{"printf 'echo %q' '" + url + "' > make-database", "echo 'echo \"deployed $1 to ${2%%:*}\"' > deploy", "echo 1.4 > version", "chmod +x make-database deploy"}, of.Script...)
		j := p.beta(made...)
		j.Name, j.PipelineID = name, id
		if of.Artifacts.Reports.Dotenv != "" {
			j.Artifacts = []coordinator.Artifact{{Paths: []string{of.Artifacts.Reports.Dotenv}, Type: "dotenv", Format: "gzip"}}
		}
		for key, value := range of.Variables {
			j.Variables = append(j.Variables, coordinator.Variable{Key: key, Value: value, Public: true})
		}
		return j
	}
	for i, pipeline := range []map[string]written{before, after} {
		id := int64(7000 + i)
		first := p.enqueue(sharedToken, job(pipeline["database"], id, "database"))
		if result := wait(t, first); result.State != "success" {
			t.Fatalf("%+v\n%s", result, first.Text())
		}
		p.settle(t)
		second := job(pipeline["deploy"], id, "deploy")
		second.Needs = []*coordinator.Run{first}
		log := p.succeed(t, sharedToken, second)
		contains(t, log, "deployed 1.4 to postgres")
		p.settle(t)
	}
	alone := p.enqueue(sharedToken, job(after["deploy"], 7002, "deploy"))
	if result := wait(t, alone); result.FailureReason != "script_failure" || strings.Contains(alone.Text(), "deployed") {
		t.Errorf("a job without values: %+v\n%s", result, alone.Text())
	}
}
