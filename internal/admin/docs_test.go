package admin_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/awscli"
	"rolecall/test/document"
	"rolecall/test/kit"
)

// folder is where a reader of the pages works.
type folder string

// trust returns the trust policy of alpha, as the policy file says.
func (dir folder) trust(t *testing.T) string {
	t.Helper()
	got := run("", "trust-policy", "--tenant", "alpha", "--config", dir.path("rolecall.toml"))
	if got.code != 0 {
		t.Fatalf("%+v", got)
	}
	return got.out
}

// path returns the path of a file of the folder.
func (dir folder) path(name string) string { return filepath.Join(string(dir), name) }

// write writes a file of the folder.
func (dir folder) write(t *testing.T, name, content string) {
	t.Helper()
	kit.Must(t, os.WriteFile(dir.path(name), []byte(content), 0o600))
}

// TestPages: the commands of the pages work with the files of the pages, and print what the pages
// say. Each command uses the policy file of docs/policy.md.
func TestPages(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	do := func(s document.Step) { dir.do(t, s) }
	document.Run(t, "docs/policy.md", "A policy file by example", do)
	document.Run(t, "docs/policy.md", "Ask it", do)
	document.Run(t, "docs/policy.md", "Test it in its own CI", do)
	document.Run(t, "docs/aws.md", "What all tenants need", do)
	document.Run(t, "docs/aws.md", "End sessions", do)
}

// TestPageOfRole: the AWS CLI prints a role as rolecall trust-policy compares it.
func TestPageOfRole(t *testing.T) {
	t.Parallel()
	dir := folder(t.TempDir())
	do := func(s document.Step) { dir.do(t, s) }
	document.Run(t, "docs/policy.md", "A policy file by example", do)
	document.Run(t, "docs/aws.md", "What AWS really has", do)
}

// do does a step of a page.
func (dir folder) do(t *testing.T, s document.Step) {
	t.Helper()
	if s.File != "" {
		dir.write(t, s.File, s.Content)
		return
	}
	if strings.HasPrefix(s.Command, "aws ") {
		awscli.Run(t, string(dir), dir.trust(t), s.Command)
		return
	}
	_, line, ours := strings.Cut(s.Command, "rolecall ")
	if !ours {
		t.Errorf("no test runs %s", s.Command)
	}
	line, out, piped := strings.Cut(line, " > ")
	got := run("", dir.arguments(line)...)
	if got.code != 0 {
		t.Errorf("%s: exit code %d:\n%s%s", s.Command, got.code, got.out, got.errors)
	}
	if text := strings.ReplaceAll(got.out, dir.path("")+"/", ""); s.Printed && text != s.Output {
		t.Errorf("%s prints\n%s\nand the page has\n%s", s.Command, text, s.Output)
	}
	if piped {
		dir.write(t, strings.TrimSpace(out), got.out)
	}
}

// arguments returns the arguments of a command line, with the files of the folder.
func (dir folder) arguments(line string) []string {
	args := strings.Fields(line)
	for i, arg := range args {
		switch filepath.Ext(arg) {
		case ".toml", ".json", ".xml":
			args[i] = dir.path(arg)
		}
		if args[max(i-1, 0)] == "--out-dir" {
			args[i] = dir.path(arg)
		}
	}
	if !strings.Contains(line, "--config") {
		args = append(args, "--config", dir.path("rolecall.toml"))
	}
	return args
}
