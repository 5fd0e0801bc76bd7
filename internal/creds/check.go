package creds

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"rolecall/internal/mask"
)

// Bounds in bytes.
const (
	MaxFile  = 64 << 10 // the env file, and each File
	maxValue = 16 << 10 // the value of a variable
	maxName  = 64       // what is named
)

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
	// plain are the characters that shells, xargs and docker all take as they are.
	plain = upper + lower + digits + "+/=._-:,@%"
)

// Check reports an error unless the set can be written for a job: every variable can
// stand unquoted in an env file, every file has a name that is safe in a folder, every
// secret can be masked, and nothing stands twice. The error names what is wrong by its
// name or kind, never by its value.
func (s Set) Check() error {
	seen := map[string]bool{}
	once := func(what string) error {
		if seen[what] {
			return fmt.Errorf("there are two of %s", what)
		}
		seen[what] = true
		return nil
	}
	for _, c := range s {
		if err := errors.Join(once("credential "+c.String()), c.check(once)); err != nil {
			return err
		}
	}
	if len(s.EnvFile()) > MaxFile {
		return fmt.Errorf("the env file is larger than %d bytes", MaxFile)
	}
	return nil
}

// check checks one credential. Once reports an error where something of the set is
// there already.
func (c Credential) check(once func(string) error) error {
	if c.Provider == "" || len(c.Provider) > maxName || len(c.Name) > maxName || strings.Trim(c.Provider+c.Name, plain) != "" {
		return errors.New("a credential has no valid provider and name")
	}
	for _, v := range c.Env {
		if err := errors.Join(v.check(), once("variable "+v.Name)); err != nil {
			return err
		}
	}
	for _, f := range c.Files {
		if err := errors.Join(f.check(), once("file "+f.Name)); err != nil {
			return err
		}
	}
	if err := CheckSecrets(c.Secrets); err != nil {
		return err
	}
	if len(c.Revoke) > MaxFile || c.Revoke != nil && !json.Valid(c.Revoke) {
		return fmt.Errorf("credential %s has no valid handle to revoke it", c)
	}
	return nil
}

// check checks a variable of the env file.
func (v Variable) check() error {
	if err := checkName(v.Name); err != nil {
		return err
	}
	if value := v.Value.Reveal(); len(value) < 1 || len(value) > maxValue || strings.Trim(value, plain) != "" {
		return fmt.Errorf("%s is not 1 to %d of the characters %s", v.Name, maxValue, plain)
	}
	return nil
}

// check checks a file.
func (f File) check() error {
	if len(f.Name) < 1 || len(f.Name) > maxName || f.Name[0] == '.' || strings.Trim(f.Name, upper+lower+digits+"._-") != "" {
		return fmt.Errorf("the file of %s has a name that is not 1 to %d of letters, digits, ., _ and -, not starting with a dot", f.Variable, maxName)
	}
	if len(f.Content.Reveal()) > MaxFile || !utf8.ValidString(f.Content.Reveal()) {
		return fmt.Errorf("file %s is not UTF-8 of at most %d bytes", f.Name, MaxFile)
	}
	return checkName(f.Variable)
}

// CheckSecrets reports an error unless all secrets can be masked and told of. The error
// names the first that cannot by its kind.
func CheckSecrets(secrets []mask.Named) error {
	for _, secret := range secrets {
		if err := checkSecret(secret); err != nil {
			return err
		}
	}
	return nil
}

// checkSecret is CheckSecrets for one.
func checkSecret(secret mask.Named) error {
	if n := len(secret.Kind); n < 1 || n > maxName || strings.Trim(secret.Kind, plain+" ") != "" {
		return errors.New("a secret has no valid kind")
	}
	if n := len(secret.Value.Reveal()); n < mask.MinLen || n > MaxFile || !utf8.ValidString(secret.Value.Reveal()) {
		return fmt.Errorf("%s is not UTF-8 of %d to %d bytes", secret.Kind, mask.MinLen, MaxFile)
	}
	return nil
}
