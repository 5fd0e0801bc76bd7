package policyfile

import (
	"fmt"

	"rolecall/internal/adminfile"
	"rolecall/internal/fault"
	"rolecall/internal/tenant"
)

// Default is the path of the policy file unless an admin names another.
const Default = "/etc/rolecall/rolecall.toml"

// Bounds of the size of files, in bytes.
const (
	maxPolicy = 8 << 20 // some ten thousand tenants
	maxNamed  = 1 << 20
)

// Load reads and compiles the policy file at an absolute path. A file that is missing,
// broken or writable by others is a fault.Admin; a missing file is fs.ErrNotExist too.
func Load(path string, providers ...Provider) (*tenant.Policy, error) {
	return load(path, Compile, providers)
}

// LoadUnplaced is Load for a program that runs no scripts: tenants need no unix users.
func LoadUnplaced(path string, providers ...Provider) (*tenant.Policy, error) {
	return load(path, compileUnplaced, providers)
}

// load reads the policy file, and has it compiled.
func load(path string, compile func(file string, content []byte, providers ...Provider) (*tenant.Policy, error), providers []Provider) (*tenant.Policy, error) {
	content, err := adminfile.Read(path, maxPolicy)
	if err != nil {
		return nil, fault.New(fault.BadPolicy, fmt.Errorf("policy file: %w", err), "")
	}
	policy, err := compile(path, content, providers...)
	if err != nil {
		return nil, fault.New(fault.BadPolicy, fmt.Errorf("policy file: %w", err), "correct it; rolecall check on the runner's host names all mistakes")
	}
	return policy, nil
}

// ReadNamed reads the file at path, which a policy file names under key. It returns nil
// if path is empty. An error is a fault.Admin.
func ReadNamed(key, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	content, err := adminfile.Read(path, maxNamed)
	if err != nil {
		return nil, fault.New(fault.BadPolicy, fmt.Errorf("%s: %w", key, err), "")
	}
	return content, nil
}
