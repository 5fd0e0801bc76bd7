package vault

import (
	"errors"
	"fmt"
	"strings"

	"rolecall/internal/tenant"
	"rolecall/internal/tenant/policyfile"
)

// Settings are what a source says.
type Settings struct {
	Address   string `json:"address"` // URL
	Namespace string `json:"namespace,omitempty"`
	AuthPath  string `json:"auth_path"` // of the auth method, below auth/
	Role      string `json:"role"`      // of that method
	CABundle  string `json:"-"`         // file; empty: the authorities that the host trusts
	Token     bool   `json:"token,omitempty"`
	Reads     []Read `json:"reads,omitempty"`
}

// maxText bounds the paths and names of Vault, in bytes.
const maxText = 256

// SourceKeys returns the keys of a source.
func (Provider) SourceKeys() policyfile.Keys {
	return policyfile.Keys{
		"address": policyfile.Text, "namespace": policyfile.Text, "auth_path": policyfile.Text, "role": policyfile.Text,
		"ca_bundle": policyfile.Text, "token": policyfile.Switch,
	}
}

// Lists returns the list read: what is read, and what scripts get of it.
func (Provider) Lists() map[string]policyfile.Keys {
	return map[string]policyfile.Keys{"read": {"path": policyfile.Text, "env": policyfile.Pairs, "files": policyfile.Pairs, "plain": policyfile.List}}
}

// Source compiles a source.
func (Provider) Source(t policyfile.Table, _ any) any {
	s := Settings{AuthPath: "jwt"}
	policyfile.Set(t, "address", policyfile.ReadServer, &s.Address)
	policyfile.Set(t, "namespace", readNamespace, &s.Namespace)
	policyfile.Set(t, "auth_path", readAuthPath, &s.AuthPath)
	policyfile.Set(t, "role", readRole, &s.Role)
	policyfile.Set(t, "ca_bundle", policyfile.ReadPath, &s.CABundle)
	policyfile.SetSwitch(t, "token", &s.Token)
	for _, r := range t.Tables("read") {
		s.Reads = append(s.Reads, compileRead(r))
	}
	s.check(t)
	return s
}

// check reports what is missing in a source, or is there twice.
func (s Settings) check(t policyfile.Table) {
	for _, key := range []string{"address", "role"} {
		if t.Text(key) == "" {
			t.FailTable(fmt.Errorf("%s is missing", key))
		}
	}
	if len(s.Reads) == 0 && !s.Token {
		t.FailTable(errors.New("it gives nothing; add [[tenant.source.read]], or set token = true"))
	}
	if len(s.Reads) > maxReads {
		t.Tables("read")[maxReads].FailTable(fmt.Errorf("a source reads at most %d paths", maxReads))
		return
	}
	seen := map[string]bool{}
	for i, r := range t.Tables("read") {
		for _, p := range s.Reads[i].All() {
			if seen[p.Name] {
				r.FailTable(fmt.Errorf("the source sets %s twice", p.Name))
			}
			seen[p.Name] = true
		}
	}
}

// Sets returns the names of the variables that scripts get. Every job of the tenant gets them.
func (s Settings) Sets() (names []string, always bool) {
	for _, r := range s.Reads {
		for _, p := range r.All() {
			names = append(names, p.Name)
		}
	}
	if s.Token {
		names = append(names, TokenVariable, AddressVariable)
		if s.Namespace != "" {
			names = append(names, NamespaceVariable)
		}
		if s.CABundle != "" {
			names = append(names, CAVariable)
		}
	}
	return names, true
}

// Servers returns the URL of the server, and the file of the authorities that sign its certificate.
func (s Settings) Servers() (urls []string, caBundle string) { return []string{s.Address}, s.CABundle }

// Advice returns what only who has a token of Vault can see of the role.
func (s Settings) Advice() (what, do string) {
	return "rolecall cannot see the role " + s.Role + ": with a user_claim that jobs share, templated policies let one job read what another may",
		"look by: vault read auth/" + s.AuthPath + "/role/" + s.Role + "; user_claim should be job_id, and token_type service"
}

// readNamespace reads the name of a namespace, which is a path.
func readNamespace(text string) (string, error) {
	return checkPath(strings.TrimSuffix(text, "/"), "the name of a namespace, such as admin/team")
}

// readAuthPath reads where an auth method is mounted.
func readAuthPath(text string) (string, error) {
	if strings.HasPrefix(text, "auth/") {
		return "", errors.New("want the path without auth/ at its beginning")
	}
	return checkPath(strings.TrimSuffix(text, "/"), "the path of an auth method, such as jwt")
}

// readPath reads a path that is read.
func readPath(text string) (string, error) {
	if strings.HasPrefix(text, "v1/") {
		return "", errors.New("want the path without v1/ at its beginning")
	}
	return checkPath(text, "a path such as secret/data/app")
}

// checkPath returns a path of Vault. Want says what it is, in an error.
func checkPath(text, want string) (string, error) {
	bad := len(text) > maxText || strings.Trim(text, letters+" .@:+~/-") != "" || strings.TrimSpace(text) != text
	for _, part := range strings.Split(text, "/") {
		bad = bad || part == "" || part == "." || part == ".."
	}
	if bad {
		return "", fmt.Errorf("%s: want %s", tenant.Quote(text), want)
	}
	return text, nil
}

// letters has the letters and digits of names in Vault.
const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// readRole reads the name of a role. That it must not be empty is for check.
func readRole(text string) (string, error) {
	if len(text) > maxText || strings.Trim(text, letters+".@-") != "" {
		return "", fmt.Errorf("%s: want the name of a role of the auth method", tenant.Quote(text))
	}
	return text, nil
}
