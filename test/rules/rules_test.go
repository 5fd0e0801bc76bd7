// Package rules_test holds the rules of the house: who may import what, that
// packages say what they are, and that the documents are true.
package rules_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rolecall/internal/version"
	"rolecall/test/kit"
)

// goPackage is what go list tells of a package.
type goPackage struct {
	ImportPath string
	Doc        string
	Imports    []string
	Deps       []string
}

// list returns the packages that match the patterns, from the module's root.
func list(t *testing.T, patterns ...string) []goPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Doc,Imports,Deps"}, patterns...)...)
	command.Dir = "../.."
	out, err := command.Output()
	kit.Must(t, err)
	var packages []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p goPackage
		kit.Must(t, decoder.Decode(&p))
		packages = append(packages, p)
	}
	return packages
}

// banned says which imports a room must not have, and why.
var banned = []struct{ room, pkg, why string }{
	{"rolecall/internal/fault", "rolecall/", "everybody imports it"},
	{"rolecall/internal/process", "rolecall/", "every program links it"},
	{"rolecall/internal/mask", "rolecall/", "everybody imports it"},
	{"rolecall/internal/journal", "rolecall/", "it writes what it is told"},
	{"rolecall/internal/journal", "net", "run and config link it, and net makes a program start slower"},
	{"rolecall/internal/httpguard", "rolecall/", "it knows neither AWS nor GitLab"},
	{"rolecall/internal/job", "rolecall/internal/tenant", "it knows neither tenants nor AWS"},
	{"rolecall/internal/job", "rolecall/internal/creds", "it knows neither tenants nor AWS"},
	{"rolecall/internal/image", "github.com/distribution", "run and config link it, and names take a millisecond to start"},
	{"rolecall/internal/image", "rolecall/internal/tenant", "a rule does not know whose it is"},
	{"rolecall/internal/image", "os", "it judges what it is given"},
	{"rolecall/internal/admission", "rolecall/internal/image/request", "config links it"},
	{"rolecall/internal/tenant", "rolecall/internal/job", "a decision rests on what it is given"},
	{"rolecall/internal/tenant", "os", "a decision rests on what it is given"},
	{"rolecall/internal/tenant", "net/http", "a decision rests on what it is given"},
	{"rolecall/internal/program", "rolecall/internal/creds", "it knows what stages have in common, not what a stage does"},
	{"rolecall/internal/program", "rolecall/internal/idtoken", "it knows what stages have in common, not what a stage does"},
	{"rolecall/internal/tenant", "rolecall/internal/creds", "a decision is the same for every provider"},
	{"rolecall/internal/tenant", "rolecall/internal/adminfile", "a decision rests on what it is given"},
	{"rolecall/internal/tenant", "github.com/pelletier/go-toml", "how rules are written is policyfile's"},
	{"rolecall/internal/tenant/policyfile", "rolecall/internal/creds", "each provider brings its own keys"},
	{"rolecall/internal/tenant/policyfile", "rolecall/internal/job", "a file is compiled before a job is thought of"},
	{"rolecall/internal/tenant/policyfile", "os", "adminfile reads files"},
	{"rolecall/internal/tenant/policyfile", "net/http", "config links it"},
	{"rolecall/internal/idtoken", "rolecall/internal/creds", "a token is read before STS is thought of"},
	{"rolecall/internal/idtoken", "rolecall/internal/tenant", "a token does not know the policy"},
	{"rolecall/internal/idtoken", "crypto", "config links it"},
	{"rolecall/internal/idtoken/jwks", "rolecall/internal/tenant", "keys do not know the policy"},
	{"rolecall/internal/admission", "rolecall/internal/idtoken/jwks", "config links it"},
	{"rolecall/internal/admission", "rolecall/internal/creds/", "it knows no provider"},
	{"rolecall/internal/admission", "os", "it reads files by what it is given"},
	{"rolecall/internal/admission", "crypto", "config links it"},
	{"rolecall/internal/admission", "net/http", "config links it"},
	{"rolecall/internal/creds/aws/grant", "github.com/aws", "config and cleanup link it"},
	{"rolecall/internal/creds/aws/grant", "rolecall/internal/creds/aws/sts", "config and cleanup link it"},
	{"rolecall/internal/creds/aws/grant", "os", "it reads files by what it is given"},
	{"rolecall/internal/creds/vault", "net/http", "config and cleanup link it"},
	{"rolecall/internal/creds/vault", "os", "it reads files by what it is given"},
	{"rolecall/internal/creds/vault/client", "os", "it is told what to ask"},
	{"rolecall/internal/handover", "rolecall/internal/handover/", "run links it"},
	{"rolecall/internal/handover", "crypto", "run links it"},
	{"rolecall/internal/handover/errand", "net/http", "run links it"},
	{"rolecall/internal/handover/errand", "crypto", "run links it"},
	{"rolecall/internal/handover/seal", "os", "it is given keys"},
	{"rolecall/internal/handover/bucket", "os", "its settings come by the order"},
	{"rolecall/internal/handover/kv", "os", "its settings come by the order"},
	{"rolecall/internal/session", "rolecall/internal/creds/", "it knows no provider and no store"},
	{"rolecall/internal/session", "rolecall/internal/idtoken/jwks", "who it is given a reader by verifies tokens"},
	{"rolecall/internal/session", "os", "the audit log and who keeps credentials write files"},
	{"rolecall/internal/adminfile", "rolecall/", "it knows none of what is in a file"},
	{"rolecall/internal/audit", "rolecall/internal/tenant", "it writes what it is told"},
	{"rolecall/internal/audit", "rolecall/internal/mask", "no secret comes to it"},
	{"rolecall/internal/admin/trust", "os", "it turns rules into texts"},
	{"rolecall/internal/admin/trust", "net/http", "it turns rules into texts"},
	{"rolecall/internal/admin/check", "github.com/aws", "it asks STS for no more than its time"},
	{"rolecall/internal/creds", "os", "it is about values; internal/state is about files"},
	{"rolecall/internal/creds", "rolecall/internal/job", "credentials know nothing of GitLab"},
	{"rolecall/internal/creds/aws/sts", "os", "its settings come by the SDK"},
	{"rolecall/internal/registry", "os", "it reads no files, and no login but the one that it is given"},
	{"rolecall/internal/registry", "rolecall/internal/tenant", "it tells what a registry says, not what is allowed"},
	{"rolecall/internal/registry", "rolecall/internal/job", "it is told what to ask"},
	{"rolecall/internal/state", "rolecall/internal/creds/aws/sts", "run and cleanup link it"},
	{"rolecall/internal/gate", "rolecall/internal/gate/", "run links it"},
	{"rolecall/internal/gate/scan", "rolecall/internal/job", "it looks at files, whosever they are"},
	{"rolecall/internal/gate/selection", "rolecall/internal/mask", "it finds files, whatever is in them"},
	{"rolecall/internal/state", "rolecall/internal/cgroup", "it removes files; who calls it kills"},
	{"rolecall/internal/backend", "rolecall/internal/backend/", "a program's main.go says which backends it has"},
	{"rolecall/internal/backend/host", "rolecall/internal/creds", "it runs scripts, whatever they are given"},
	{"rolecall/internal/backend/host", "rolecall/internal/tenant", "it is told what a job needs, not why"},
	{"rolecall/internal/account", "rolecall/", "it knows users of the host, not tenants"},
	{"rolecall/internal/cgroup", "rolecall/", "it kills processes, whosever they are"},
	{"rolecall/internal/script", "rolecall/", "it runs scripts, whosever they are"},
}

func TestImports(t *testing.T) {
	t.Parallel()
	rooms := map[string]goPackage{}
	for _, p := range list(t, "./internal/...") {
		rooms[p.ImportPath] = p
	}
	for _, b := range banned {
		room, ok := rooms[b.room]
		if !ok {
			t.Errorf("no package %s: correct this rule", b.room)
		}
		for _, imported := range room.Imports {
			if imported == b.pkg || strings.HasPrefix(imported, strings.TrimSuffix(b.pkg, "/")+"/") {
				t.Errorf("%s imports %s: %s", b.room, imported, b.why)
			}
		}
	}
}

func TestPackagesSayWhatTheyAre(t *testing.T) {
	t.Parallel()
	for _, p := range list(t, "./cmd/...", "./internal/...", "./test/...") {
		if p.Doc == "" && !strings.HasPrefix(p.ImportPath, "rolecall/test/e2e") && !strings.HasPrefix(p.ImportPath, "rolecall/test/scripts") && !strings.HasPrefix(p.ImportPath, "rolecall/test/rules") {
			t.Errorf("package %s has no comment", p.ImportPath)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../..", name))
	kit.Must(t, err)
	return string(content)
}

// TestDocuments checks that the README is short, and that the version is the changelog's
// newest.
func TestDocuments(t *testing.T) {
	t.Parallel()
	readme := read(t, "README.md")
	const longest = 150
	if lines := strings.Count(readme, "\n"); lines >= longest {
		t.Errorf("the README has %d lines, want fewer than %d: move something to docs", lines, longest)
	}
	runner := regexp.MustCompile(`gitlab-org/gitlab-runner v\S+-([0-9a-f]{12})\n`).FindStringSubmatch(read(t, "test/runner/go.mod"))
	if runner == nil || !strings.Contains(readme, "commit "+runner[1]) {
		t.Errorf("the README does not name the GitLab Runner of the tests, commit %v", runner)
	}
	newest := regexp.MustCompile(`(?m)^## \[([0-9.]+)\]`).FindStringSubmatch(read(t, "CHANGELOG.md"))
	if newest == nil || newest[1] != version.Version {
		t.Errorf("the changelog's newest version is %v, the driver's %s", newest, version.Version)
	}
}
