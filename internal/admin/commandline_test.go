package admin_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"rolecall/internal/admin"
	"rolecall/test/kit"
)

// TestMistakes: a command line that is wrong is refused, and the error says what to do and is short.
func TestMistakes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for args, says := range map[string]string{
		"help cure":                  `there is no command "cure"; rolecall --help lists them`,
		"help completion cure":       `there is no command "completion"`,
		"completion":                 "say one shell: bash, zsh or fish",
		"completion cure":            "say one shell: bash, zsh or fish",
		"completion bash zsh":        "say one shell: bash, zsh or fish",
		"check --nose":               "unknown flag: --nose; rolecall check --help lists the flags",
		"check --json=perhaps":       `--json is "perhaps": want true, false or no value`,
		"trust-policy --hop two":     `--hop is "two": want a whole number`,
		"suspend --all --until noon": `--until is "noon": want a time such as`,
		"check --config=":            "--config has an empty value",
		"who x --log=":               "--log has an empty value",
		"check --config /" + strings.Repeat("x", 4096): "and more: no path is so long",
		"init --state=":           "--state has an empty value",
		"check --\x1b[2J\u202e":   `--\x1b[2J\u202e; rolecall check`,
		"who x --config /\x1b[2J": `/\x1b[2J`,
	} {
		got := run("", strings.Fields(args)...)
		if want := 2; got.code != want && !strings.HasPrefix(args, "who x --config") || got.out != "" || !strings.Contains(got.errors, says) || strings.ContainsAny(got.errors, "\x1b\u202e\u009b") {
			t.Errorf("rolecall %q: %+v, want %q", args, got, says)
		}
	}
	long := strings.Repeat("x", 1<<16)
	for _, args := range [][]string{{long}, {"--" + long}, {"check", "--json=" + long}, {"check", long}, {"help", long}, {"completion", long}, {"suspend", long, "--config", w.dir}, {"job", long, "--log", w.dir + "/none"}, {"check", "--config", "/" + long}, {"init", "--config", "/" + long}, {"init", "--gitlab", "https://" + long, "--tenant", deploys, "--drop-in", ""}} {
		if got := run("", args...); got.code == 0 || len(got.errors) > 1000 {
			t.Errorf("%.20q: exit code %d, an error of %d bytes", args, got.code, len(got.errors))
		}
	}
}

// TestFull: what cannot be printed is no success.
func TestFull(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	kit.Must(t, err)
	defer full.Close()
	w := newWorld(t)
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	for _, args := range []string{"--help", "--version", "help check", "check --help", "completion bash", "completion zsh", "completion fish", "trust-policy --tenant alpha --json --config " + policy, "explain --project acme/deploy --ref main --config " + policy} {
		if code := runTo(full, strings.Fields(args)...); code != 1 {
			t.Errorf("rolecall %s: exit code %d, want 1", args, code)
		}
	}
}

// TestHelp: the help of each command fits the columns of a terminal, and is not that of a library.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, c := range append(admin.Program{}.Command().Commands(), &cobra.Command{}) {
		got := run("", c.Name(), "--help")
		if c.Name() == "" {
			got = run("", "--help")
		} else if other := run("", "help", c.Name()); other != got {
			t.Errorf("help %s is another text than %[1]s --help:\n%s", c.Name(), other.out)
		}
		if got.code != 0 || got.errors != "" || !strings.Contains(got.out, "Usage:\n  rolecall "+c.Name()) {
			t.Errorf("%s: %+v", c.Name(), got)
		}
		if c.Name() != "check" && c.Name() != "" && !strings.HasPrefix(got.out, c.Name()+" ") {
			t.Errorf("the help of %s begins with\n%.100s", c.Name(), got.out)
		}
		for line := range strings.Lines(got.out) {
			if len(line) > 101 || strings.Contains(line, "[command]") || line != strings.TrimRight(line, " \n")+"\n" {
				t.Errorf("%s: %q", c.Name(), line)
			}
		}
	}
}

// TestCompletion: shells take the scripts, and names of tenants are completed.
func TestCompletion(t *testing.T) {
	t.Parallel()
	got := run("", "completion", "bash")
	bash := exec.CommandContext(t.Context(), "bash", "-n")
	bash.Stdin = strings.NewReader(got.out)
	if text, err := bash.CombinedOutput(); err != nil || got.code != 0 || len(got.out) < 1000 {
		t.Errorf("%v: %s", err, text)
	}
	w := newWorld(t)
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	for args, want := range map[string]string{
		"suspend --config " + policy + " ":               "alpha\nbeta\n",
		"resume --config " + policy + " b":               "alpha\nbeta\n", // the shell chooses
		"suspend --config " + policy + " alpha ":         "",
		"suspend --config /none ":                        "",
		"trust-policy --config " + policy + " --tenant ": "alpha\nbeta\n",
		"refused --config " + policy + " --tenant ":      "alpha\nbeta\n",
		"explain --config " + policy + " --tenant ":      "alpha\nbeta\n",
		"completion ": "bash\nzsh\nfish\n",
	} {
		got := run("", append([]string{"__complete"}, strings.Split(args, " ")...)...)
		if names, _, _ := strings.Cut(got.out, ":4\n"); names != want {
			t.Errorf("%q: %q, want %q", args, got.out, want)
		}
	}
}

// TestTrustPolicyJSON: the answer is one JSON value, with all that the text has.
func TestTrustPolicyJSON(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy = strings.Replace(w.policy, `duration = "2h"`, "[[tenant.chain]]\nrole_arn = \"arn:aws:iam::444455556666:role/second\"", 1)
	policy := w.write(t, "rolecall.toml", []byte(w.policy))
	plain := run("", "trust-policy", "--config", policy, "--tenant", "alpha")
	got := run("", "trust-policy", "--config", policy, "--tenant", "alpha", "--json")
	var value struct {
		Trust struct{ Version string } `json:"trust_policy"`
		Notes []string
		Other string `json:"terraform"`
		CLI   string `json:"commands"`
		Hops  []struct{ Role, Command string }
	}
	if err := json.Unmarshal([]byte(got.out), &value); err != nil || got.code != 0 || got.errors != "" || value.Trust.Version != "2012-10-17" || len(value.Notes) == 0 || len(value.Hops) != 1 {
		t.Fatalf("%v: %+v", err, got)
	}
	second := value.Hops[0]
	for _, said := range []string{value.Notes[0], value.CLI, "# role 2 of the chain, " + second.Role + ": " + second.Command + "\n"} {
		if !strings.Contains(plain.errors, said) {
			t.Errorf("the text has no %q:\n%s", said, plain.errors)
		}
	}
	if second.Command != "rolecall trust-policy --tenant alpha --hop 2" || !strings.Contains(value.Other, "aws_iam_role") {
		t.Errorf("%+v", value)
	}
}
