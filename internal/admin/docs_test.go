package admin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rolecall/test/kit"
)

// page is a page of the documents: the files that it shows, and the commands with what they print.
type page struct {
	files    map[string]string
	commands []shown
}

// shown is a command of a page, with its output where the page has it.
type shown struct {
	line, output string
	printed      bool // the page has the output
}

// readPage reads a page. A block of toml is the file that the text before it names last, by a
// name that ends in .toml. A block without a language is the output of the command before it.
func readPage(t *testing.T, name string) page {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("../../docs", name))
	kit.Must(t, err)
	p, file := page{files: map[string]string{}}, ""
	for i, part := range strings.Split(string(content), "\n```") {
		switch block, isTOML := strings.CutPrefix(part, "toml\n"); {
		case i%2 == 0:
			file = p.readText(part, file)
		case isTOML && p.files[file] == "":
			p.files[file] = block + "\n"
		case strings.HasPrefix(part, "\n"):
			last := &p.commands[len(p.commands)-1]
			last.output, last.printed = part[1:]+"\n", true
		}
	}
	return p
}

// readText reads the commands of a text, and returns the name of a file that it names last.
func (p *page) readText(text, file string) string {
	for line := range strings.Lines(text) {
		if command, ok := strings.CutPrefix(line, "    "); ok && strings.Contains(command, "rolecall ") {
			p.commands = append(p.commands, shown{line: strings.TrimSpace(command)})
		}
		for i, word := range strings.Split(line, "`") {
			if i%2 == 1 && strings.HasSuffix(word, ".toml") {
				file = word
			}
		}
	}
	return file
}

// TestPages: the commands of the pages work with the files of the pages, and print what the pages
// say. Each command uses the policy file of its page.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, commands := range map[string]int{"policy.md": 2, "aws.md": 6} {
		p, dir := readPage(t, name), t.TempDir()
		p.files["rolecall.toml"] = readPage(t, "policy.md").files["rolecall.toml"]
		if len(p.commands) != commands {
			t.Errorf("docs/%s has %d commands, want %d: where one was added or removed on purpose, correct this number", name, len(p.commands), commands)
		}
		for file, content := range p.files {
			kit.Must(t, os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600))
		}
		content := fmt.Sprintf(`{"Role":{"Arn":"arn:aws:iam::111122223333:role/deploy-alpha","AssumeRolePolicyDocument":%s}}`, trusted(t, dir))
		kit.Must(t, os.WriteFile(filepath.Join(dir, "role.json"), []byte(content), 0o600))
		for _, c := range p.commands {
			p.try(t, dir, c)
		}
	}
}

// trusted returns the trust policy of alpha, as the policy file in a folder says.
func trusted(t *testing.T, dir string) string {
	t.Helper()
	got := run("", "trust-policy", "--tenant", "alpha", "--config", filepath.Join(dir, "rolecall.toml"))
	if got.code != 0 {
		t.Fatalf("%+v", got)
	}
	return got.out
}

// try runs a command of a page in a folder.
func (p page) try(t *testing.T, dir string, c shown) {
	t.Helper()
	_, line, _ := strings.Cut(c.line, "rolecall ")
	line, out, piped := strings.Cut(line, " > ")
	args := strings.Fields(line)
	for i, arg := range args {
		if _, ours := p.files[arg]; ours || strings.HasSuffix(arg, ".json") || strings.HasSuffix(arg, ".xml") || args[max(i-1, 0)] == "--out-dir" {
			args[i] = filepath.Join(dir, arg)
		}
	}
	if !strings.Contains(line, "--config") {
		args = append(args, "--config", filepath.Join(dir, "rolecall.toml"))
	}
	got := run("", args...)
	if got.code != 0 {
		t.Errorf("%s: exit code %d:\n%s%s", c.line, got.code, got.out, got.errors)
	}
	if text := strings.ReplaceAll(got.out, dir+"/", ""); c.printed && text != c.output {
		t.Errorf("%s prints\n%s\nand the page has\n%s", c.line, text, c.output)
	}
	if piped {
		kit.Must(t, os.WriteFile(filepath.Join(dir, strings.TrimSpace(out)), []byte(got.out), 0o600))
	}
}
