package rules_test

import (
	"encoding/json"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"rolecall/internal/admin"
	"rolecall/internal/creds/aws/grant"
	"rolecall/internal/tenant/policyfile"
	"rolecall/test/kit"
)

// pages returns the paths of the documents, from the top of the project.
func pages(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		found, err := filepath.Glob("../../" + pattern)
		kit.Must(t, err)
		for _, path := range found {
			all = append(all, strings.TrimPrefix(path, "../../"))
		}
	}
	return all
}

// anchors returns the anchors of the headings of a page, as GitLab and GitHub make them.
func anchors(page string) []string {
	var all []string
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(page, -1) {
		plain := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}

// TestPages: what the documents link to exists, with its heading, and each page of docs
// is linked from another.
func TestPages(t *testing.T) {
	t.Parallel()
	linked := map[string]bool{}
	links := 0
	for _, page := range pages(t) {
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(read(t, page), -1) {
			path, anchor, hasAnchor := strings.Cut(link[1], "#")
			if strings.Contains(path, "://") {
				continue
			}
			links++
			target := page
			if path != "" {
				target = filepath.Join(filepath.Dir(page), path)
			}
			if _, err := os.Stat("../../" + target); err != nil {
				t.Errorf("%s links to %s: %v", page, link[1], err)
				continue
			}
			linked[target] = linked[target] || target != page
			if hasAnchor && !slices.Contains(anchors(read(t, target)), anchor) {
				t.Errorf("%s links to %s, which has no such heading", page, link[1])
			}
		}
	}
	const fewest = 60
	if links < fewest {
		t.Errorf("only %d links were found", links)
	}
	for _, page := range pages(t) {
		if strings.HasPrefix(page, "docs/") && !linked[page] {
			t.Errorf("no page links to %s", page)
		}
	}
}

// TestTargets: each make command of a document is a target, with a line in make help.
func TestTargets(t *testing.T) {
	t.Parallel()
	makefile, found := read(t, "Makefile"), 0
	for _, page := range pages(t) {
		for _, c := range regexp.MustCompile("(?m)(?:^ {4}(?:sudo )?|`)make ([a-z0-9-]+)").FindAllStringSubmatch(read(t, page), -1) {
			found++
			if !regexp.MustCompile(`(?m)^` + c[1] + `:.*## `).MatchString(makefile) {
				t.Errorf("%s names make %s, which is no target with a line of help", page, c[1])
			}
		}
	}
	const fewest = 20
	if found < fewest {
		t.Errorf("only %d make commands were found", found)
	}
}

// TestDiagrams: each picture is in a page, and has all labels of its source.
func TestDiagrams(t *testing.T) {
	t.Parallel()
	sources, err := filepath.Glob("../../docs/diagrams/*.dot")
	kit.Must(t, err)
	if len(sources) == 0 {
		t.Fatal("there is no diagram")
	}
	text := ""
	for _, page := range pages(t) {
		text += read(t, page)
	}
	for _, source := range sources {
		name := strings.TrimPrefix(strings.TrimSuffix(source, ".dot"), "../../docs/")
		picture := html.UnescapeString(read(t, "docs/"+name+".svg"))
		for _, label := range regexp.MustCompile(`label="([^"]+)"`).FindAllStringSubmatch(read(t, "docs/"+name+".dot"), -1) {
			for _, line := range strings.Split(label[1], `\n`) {
				if !strings.Contains(picture, ">"+line+"<") {
					t.Errorf("docs/%s.svg has no %q: run make diagrams", name, line)
				}
			}
		}
		if !strings.Contains(text, name+".svg)") {
			t.Errorf("no page shows docs/%s.svg", name)
		}
	}
}

// TestPipeline: the project's own pipeline has the jobs of a GitLab, and starts nothing that
// the project does not have.
func TestPipeline(t *testing.T) {
	t.Parallel()
	var pipeline map[string]any
	kit.Must(t, yaml.Unmarshal([]byte(read(t, ".gitlab-ci.yml")), &pipeline))
	for _, job := range []string{"lint", "test", "whole", "packages", "publish", "release"} {
		if _, ok := pipeline[job].(map[string]any); !ok {
			t.Errorf("the pipeline has no job %s", job)
		}
	}
	makefile := read(t, "Makefile")
	for _, line := range regexp.MustCompile(`(?m)^ +- (?:.* && )?make ([a-z ]+[a-z])`).FindAllStringSubmatch(read(t, ".gitlab-ci.yml"), -1) {
		for _, target := range strings.Fields(line[1]) {
			if !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("the pipeline makes %s, which is no target", target)
			}
		}
	}
}

// TestPolicies: a policy file that a page shows whole is one.
func TestPolicies(t *testing.T) {
	t.Parallel()
	found := 0
	for _, page := range pages(t) {
		for _, block := range regexp.MustCompile("(?s)```toml\n(.*?)```").FindAllStringSubmatch(read(t, page), -1) {
			if !strings.Contains(block[1], "[gitlab]") || !strings.Contains(block[1], "[[tenant]]") {
				continue
			}
			found++
			if _, err := policyfile.Compile(page, []byte(block[1]), grant.AWS{}); err != nil {
				t.Errorf("%v", err)
			}
		}
	}
	const fewest = 3
	if found < fewest {
		t.Errorf("only %d policy files were found", found)
	}
}

// TestCommands: each command of rolecall that a page or a message names exists, with its flags.
func TestCommands(t *testing.T) {
	t.Parallel()
	texts := map[string]string{}
	for _, page := range pages(t) {
		if page != "CHANGELOG.md" { // it may name what is gone
			texts[page] = read(t, page)
		}
	}
	for _, path := range goFiles(t) {
		if strings.HasPrefix(path, "../../internal/") && !strings.HasSuffix(path, "_test.go") {
			texts[path] = read(t, strings.TrimPrefix(path, "../../"))
		}
	}
	root := admin.Program{}.Command()
	found := 0
	for path, text := range texts {
		for _, named := range regexp.MustCompile("(?:(?m:^    )|`|sudo |run |; )rolecall ((?:[a-z]+-?)+)((?: +[^\\s`\"|]+)*)").FindAllStringSubmatch(text, -1) {
			command, _, err := root.Find([]string{named[1]})
			if slices.Contains([]string{"was", "cannot", "is", "does"}, named[1]) { // a message
				continue
			}
			if err != nil || command == root {
				t.Errorf("%s names rolecall %s, which is no command", path, named[1])
				continue
			}
			found++
			for _, flag := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(named[2], -1) {
				if command.Flags().Lookup(flag[1]) == nil && command.InheritedFlags().Lookup(flag[1]) == nil && flag[1] != "help" {
					t.Errorf("%s names rolecall %s --%s, which is no flag", path, named[1], flag[1])
				}
			}
		}
	}
	const fewest = 40
	if found < fewest {
		t.Errorf("only %d commands were found", found)
	}
}

// TestSnippets: configuration that a page shows as JSON is JSON.
func TestSnippets(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)\n```json\n(.*?)\n```").FindAllStringSubmatch(read(t, "docs/operations.md"), -1)
	if len(blocks) == 0 {
		t.Error("docs/operations.md has no JSON")
	}
	for _, block := range blocks {
		if !json.Valid([]byte(block[1])) {
			t.Errorf("this is no JSON:\n%s", block[1])
		}
	}
}

// TestJSON: scripts can read the answers of all commands of rolecall.
func TestJSON(t *testing.T) {
	t.Parallel()
	for _, c := range (admin.Program{}).Command().Commands() {
		if flag := c.Flags().Lookup("json"); c.Name() != "completion" && (flag == nil || flag.Value.Type() != "bool") {
			t.Errorf("rolecall %s has no --json", c.Name())
		}
	}
}
