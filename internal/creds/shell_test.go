package creds_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"rolecall/internal/creds"
)

// readers are the documented ways for scripts to read an env file. The arguments of the
// program are alternately a file and the names of its variables; the program prints
// their values.
const readers = `
print() {
  for reader_name in $1; do eval "printf '%s\\0' \"\$$reader_name\""; done
}
while [ $# -gt 0 ]; do
  (set -a; . "$1"; print "$2")
  (export $(cat "$1" | xargs); print "$2")
  shift 2
done`

// shells are the shells that read the env file: sh, such as dash, and bash.
var shells = []string{"/bin/sh", "bash"}

// inFile returns the entries of the env file, which must be those of the environment that are
// not apart.
func inFile(t *testing.T, set creds.Set) []string {
	t.Helper()
	entries := slices.DeleteFunc(set.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return slices.ContainsFunc(set, func(c creds.Credential) bool { return slices.Contains(c.Apart(), name) })
	})
	lines := strings.Split(strings.TrimSuffix(string(set.EnvFile()), "\n"), "\n")
	if len(entries) == 0 {
		lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
	}
	if !slices.Equal(entries, lines) {
		t.Fatalf("the env file has %q, want %q", lines, entries)
	}
	return entries
}

// split returns the names and the values of environment entries.
func split(environ []string) (names, values []string) {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		names, values = append(names, name), append(values, value)
	}
	return names, values
}

// checkInShells reads the env files of batch in real shells, with one call of each
// shell.
func checkInShells(t *testing.T, batch []creds.Set) {
	t.Helper()
	dir := t.TempDir()
	arguments := []string{"-c", readers, "reader"}
	var want []string
	for i, set := range batch {
		file := filepath.Join(dir, fmt.Sprintf(".aws.t%d.env", i))
		if err := os.WriteFile(file, set.EnvFile(), 0o600); err != nil {
			t.Fatal(err)
		}
		names, values := split(inFile(t, set))
		arguments = append(arguments, file, strings.Join(names, " "))
		want = slices.Concat(want, values, values)
	}
	for _, shell := range shells {
		command := exec.Command(shell, arguments...)
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "CLOUD_ID=stale"}
		var stderr bytes.Buffer
		command.Stderr = &stderr
		out, err := command.Output()
		if err != nil || stderr.Len() > 0 {
			t.Fatalf("%s: %v: %s", shell, err, &stderr)
		}
		got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s reads other values:\n%s", shell, diff)
		}
	}
}

// dockerEnvFile reads an env file as "docker run --env-file" does: one variable
// a line, a line that begins with # is a comment, blanks before a name are
// dropped, values are taken as they are, quotes too.
//
// https://docs.docker.com/reference/cli/docker/container/run/#env
func dockerEnvFile(content []byte) ([]string, error) {
	var environ []string
	for line := range strings.Lines(strings.TrimPrefix(string(content), "\ufeff")) {
		line = strings.TrimLeftFunc(strings.TrimRight(line, "\r\n"), unicode.IsSpace)
		if len(line) >= 64<<10 || !utf8.ValidString(line) {
			return nil, errors.New("too long, or no UTF-8")
		}
		if line == "" || line[0] == '#' {
			continue
		}
		name, _, assigns := strings.Cut(line, "=")
		if name == "" || strings.ContainsFunc(name, unicode.IsSpace) {
			return nil, fmt.Errorf("poorly formatted name %q", name)
		}
		if assigns { // a name alone takes its value from docker's own environment
			environ = append(environ, line)
		}
	}
	return environ, nil
}

// checkInDocker reads an env file as docker does.
func checkInDocker(t *testing.T, set creds.Set) {
	t.Helper()
	got, err := dockerEnvFile(set.EnvFile())
	if diff := cmp.Diff(inFile(t, set), got, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Fatalf("docker: error %v, values differ:\n%s", err, diff)
	}
}

// TestDockerEnvFile shows that the check can fail: docker keeps characters that a shell
// removes.
func TestDockerEnvFile(t *testing.T) {
	t.Parallel()
	got, err := dockerEnvFile([]byte("# x\n\n  A='1'\nB=a b # c\nHOME\nexport=1\n"))
	if diff := cmp.Diff([]string{"A='1'", "B=a b # c", "export=1"}, got); err != nil || diff != "" {
		t.Errorf("error %v, values differ:\n%s", err, diff)
	}
	if _, err := dockerEnvFile([]byte("export A=1\n")); err == nil || err.Error() != `poorly formatted name "export A"` {
		t.Errorf("error %v, want one of the name", err)
	}
}

// TestEnvFileReadsBack makes 150 sets with random names and values of all characters
// that Check allows. Each character is also first and last.
func TestEnvFileReadsBack(t *testing.T) {
	t.Parallel()
	const names = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789"
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=._-:,@%"
	random := rand.New(rand.NewPCG(1, 2)) // always the same, so that a failure comes again
	pick := func(n int, from string) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = from[random.IntN(len(from))]
		}
		return string(text)
	}
	batch := []creds.Set{
		{first(), second()},
		of("A", strings.Repeat("=", 16<<10), "B", strings.Repeat("/", 16<<10), "C", "-"),
	}
	for i := range 150 {
		edge := string(letters[i%len(letters)])
		set := of(
			string(names[i%53])+pick(1+random.IntN(62), names), edge,
			"A"+pick(random.IntN(20), names), edge+pick(random.IntN(200), letters)+edge,
			"B_"+pick(random.IntN(20), names), edge+pick(random.IntN(2000), letters)+edge,
		)
		if err := set.Check(); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, set)
		checkInDocker(t, set)
	}
	checkInShells(t, batch)
}

// TestShellsOwnNames: a credential cannot have a variable that a shell sets itself.
func TestShellsOwnNames(t *testing.T) {
	t.Parallel()
	for shell, program := range map[string]string{"bash": "compgen -v", "/bin/sh": "set | sed -n 's/^\\([A-Za-z_][A-Za-z0-9_]*\\)=.*/\\1/p'"} {
		command := exec.Command(shell, "-c", program)
		command.Env = []string{"PATH=" + os.Getenv("PATH")}
		out, err := command.Output()
		if err != nil {
			t.Fatal(err)
		}
		names := strings.Fields(string(out))
		if len(names) < 5 {
			t.Errorf("%s has only %v", shell, names)
		}
		for _, name := range names {
			if err := of(name, "x").Check(); err == nil || !strings.HasSuffix(err.Error(), "has a meaning to shells or the loader") {
				t.Errorf("%s sets %s, error %v", shell, name, err)
			}
		}
	}
}
