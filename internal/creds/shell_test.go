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

	"rolecall/internal/creds"
)

// readers are the ways in which scripts read an env file, as documented: for
// each file among its arguments the program prints what the six variables are.
const readers = `
print() {
  printf '%s\0' "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" "$AWS_SESSION_TOKEN" \
    "$AWS_REGION" "$AWS_DEFAULT_REGION" "$AWS_CREDENTIAL_EXPIRATION"
}
for file; do
  (set -a; . "$file"; print)
  (export $(cat "$file" | xargs); print)
done`

// shells judge the env file: dash or its like, and bash.
var shells = []string{"/bin/sh", "bash"}

// values returns the values that environment entries have.
func values(environ []string) []string {
	var all []string
	for _, entry := range environ {
		_, value, _ := strings.Cut(entry, "=")
		all = append(all, value)
	}
	return all
}

// checkInShells reads the env files of batch in real shells, all with one call
// of each shell.
func checkInShells(t *testing.T, batch []creds.Credentials) {
	t.Helper()
	dir := t.TempDir()
	arguments := []string{"-c", readers, "reader"}
	var want []string
	for i, c := range batch {
		file := filepath.Join(dir, fmt.Sprintf(".aws.t%d.env", i))
		if err := os.WriteFile(file, c.EnvFile(), 0o600); err != nil {
			t.Fatal(err)
		}
		arguments = append(arguments, file)
		want = slices.Concat(want, values(c.Environ()), values(c.Environ()))
	}
	for _, shell := range shells {
		command := exec.Command(shell, arguments...)
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "AWS_REGION=stale"}
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
func checkInDocker(t *testing.T, c creds.Credentials) {
	t.Helper()
	got, err := dockerEnvFile(c.EnvFile())
	if diff := cmp.Diff(c.Environ(), got); err != nil || diff != "" {
		t.Fatalf("docker: error %v, values differ:\n%s", err, diff)
	}
}

// TestDockerEnvFile shows that the rule can fail: what a shell would take off,
// docker keeps.
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

// TestEnvFileReadsBack makes 150 credentials of random letters out of all that
// Check allows, each letter also first and last.
func TestEnvFileReadsBack(t *testing.T) {
	t.Parallel()
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=._-"
	random := rand.New(rand.NewPCG(1, 2)) // always the same, so that a failure comes again
	pick := func(n int, from string) string {
		text := make([]byte, n)
		for i := range text {
			text[i] = from[random.IntN(len(from))]
		}
		return string(text)
	}
	batch := []creds.Credentials{good(), credentials(strings.Repeat("A", 128), strings.Repeat("=", 256), strings.Repeat("/", 16<<10), "-")}
	for i := range 150 {
		edge := string(letters[i%len(letters)])
		c := credentials(
			pick(16+random.IntN(112), letters[:26]+"0123456789"),
			edge+pick(14+random.IntN(200), letters)+edge,
			edge+pick(14+random.IntN(2000), letters)+edge,
			pick(1+random.IntN(31), letters[26:62]+"-"),
		)
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
		batch = append(batch, c)
		checkInDocker(t, c)
	}
	checkInShells(t, batch)
}
