package external

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"rolecall/internal/creds"
	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Format is the contract that a helper keeps.
type Format string

// The formats.
const (
	Rolecall   Format = "rolecall"   // our own; docs/sources.md has it
	AWS        Format = "aws"        // credential_process
	Docker     Format = "docker"     // the command get of a credential helper
	Kubernetes Format = "kubernetes" // ExecCredential
)

// The variables that formats bring.
const (
	KeyID       = "AWS_ACCESS_KEY_ID"
	Key         = "AWS_SECRET_ACCESS_KEY"
	Session     = "AWS_SESSION_TOKEN"
	DockerDir   = "DOCKER_CONFIG"
	BuildxDir   = "BUILDX_CONFIG"
	Token       = "KUBE_TOKEN"
	TokenFile   = "KUBE_TOKEN_FILE" //nolint:gosec // the name of a variable
	Certificate = "KUBE_CLIENT_CERTIFICATE_FILE"
	KeyFile     = "KUBE_CLIENT_KEY_FILE"
)

// Bounds of what a policy file says.
const (
	longest    = 20 * time.Second // that a helper may take: prepare waits for it
	maxWords   = 64               // of a command
	maxWord    = 4096             // in bytes
	longestSet = 50               // the name of a variable, in bytes: the kind of a secret has it
)

// Settings are what a source says.
type Settings struct {
	Command []string // the absolute path of the helper, then its arguments
	Format  Format
	Input   string // what a helper of docker reads: the URL of a server
	Servers []string
	Names   []string // of the variables that an answer may bring
	Timeout time.Duration
}

// SourceKeys returns the keys of a source.
func (Exec) SourceKeys() policyfile.Keys {
	return policyfile.Keys{
		"command": policyfile.List, "format": policyfile.Text, "input": policyfile.Text, "servers": policyfile.List,
		"sets": policyfile.List, "timeout": policyfile.Text,
	}
}

// Source compiles a source.
func (Exec) Source(t policyfile.Table, _ any) any {
	s := Settings{Format: Rolecall, Timeout: longest}
	policyfile.SetAny(t, "command", readWord, &s.Command)
	policyfile.Set(t, "format", readFormat, &s.Format)
	policyfile.Set(t, "input", readServer, &s.Input)
	policyfile.SetAny(t, "servers", readServer, &s.Servers)
	policyfile.SetAny(t, "sets", readName, &s.Names)
	policyfile.Set(t, "timeout", readTimeout, &s.Timeout)
	s.check(t)
	return s
}

// check reports what is missing, and keys that do not go together.
func (s Settings) check(t policyfile.Table) {
	switch {
	case len(s.Command) == 0:
		t.FailTable(errors.New(`it needs a command, such as ["/usr/local/libexec/give-credentials"]`))
	case s.Command[0] == "":
		t.FailAt("command", 0, errors.New("want the absolute path of the helper"))
	case len(s.Command) > maxWords:
		t.Fail("command", fmt.Errorf("it has %d words, the limit is %d", len(s.Command), maxWords))
	default:
		if _, err := policyfile.ReadPath(s.Command[0]); err != nil {
			t.FailAt("command", 0, err)
		}
	}
	s.checkFormat(t)
}

// checkFormat reports keys that the format does not know, or misses.
func (s Settings) checkFormat(t policyfile.Table) {
	for _, one := range []struct {
		key string
		of  Format
	}{{"sets", Rolecall}, {"id_token", Rolecall}, {"input", Docker}, {"servers", Docker}} {
		if t.Own(one.key) && s.Format != one.of {
			t.Fail(one.key, fmt.Errorf("it has an effect with format = %q only", one.of))
		}
	}
	switch {
	case s.Format == Rolecall && len(s.Names) == 0:
		t.FailTable(errors.New("it needs sets: the names of all variables that the helper may give"))
	case s.Format == Docker && s.Input == "":
		t.FailTable(errors.New("it needs input: the URL of the registry that the helper is asked for"))
	}
	for i, name := range s.Names {
		if slices.Contains(s.Names[:i], name) {
			t.FailAt("sets", i, fmt.Errorf("%s is there twice", name))
		}
	}
}

// Sets returns the names of the variables that an answer may bring, and that each job gets them.
func (s Settings) Sets() (names []string, always bool) { return s.names(), true }

// names returns the names of the variables that an answer may bring.
func (s Settings) names() []string {
	switch s.Format {
	case AWS:
		return []string{KeyID, Key, Session}
	case Docker:
		return []string{DockerDir, BuildxDir}
	case Kubernetes:
		return []string{Token, TokenFile, Certificate, KeyFile}
	}
	return s.Names
}

// CheckHost returns what of this host the source needs, and an error if that cannot be used.
func (s Settings) CheckHost() (what string, err error) {
	return s.Command[0], CheckHelper(s.Command[0])
}

// readWord reads a word of a command.
func readWord(text string) (string, error) {
	if len(text) > maxWord || strings.ContainsFunc(text, unicode.IsControl) {
		return "", fmt.Errorf("want words of at most %d bytes, without control characters", maxWord)
	}
	return text, nil
}

// readFormat reads the format of a helper.
func readFormat(text string) (Format, error) {
	switch f := Format(text); f {
	case Rolecall, AWS, Docker, Kubernetes:
		return f, nil
	}
	return "", fmt.Errorf("%s: want %q, %q, %q or %q", tenant.Quote(text), Rolecall, AWS, Docker, Kubernetes)
}

// readServer reads the name of a registry.
func readServer(text string) (string, error) {
	if text == "" || len(text) > 256 || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%s: want the URL or the name of a registry", tenant.Quote(text))
	}
	return text, nil
}

// readName reads the name of a variable that a helper may give.
func readName(text string) (string, error) {
	if len(text) > longestSet {
		return "", fmt.Errorf("the name of a variable has at most %d characters", longestSet)
	}
	return text, cmp.Or(creds.CheckFree(text), creds.CheckVariable(text, "x"))
}

// readTimeout reads how long a helper may take.
func readTimeout(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 100*time.Millisecond || d > longest {
		return 0, fmt.Errorf("%s: want a duration up to %v, such as \"10s\"", tenant.Quote(text), longest)
	}
	return d, nil
}
