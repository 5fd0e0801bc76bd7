package creds

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"rolecall/internal/mask"
)

// Bounds in bytes.
const (
	MaxFile  = 64 << 10 // the env file, and each File
	maxValue = 16 << 10 // the value of a variable
	maxName  = 64       // the name of a variable, a file or a credential, and the kind of a secret
)

const (
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	digits = "0123456789"
	signs  = "+/=._-:,@%"
	// plain has the characters that all readers of an env file read alike: ". FILE" of a
	// shell, "export $(cat FILE | xargs)", and "docker run --env-file FILE". None has a
	// meaning to a shell or to xargs, which remove quotes and backslashes; docker does not.
	//
	// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/xargs.html
	plain = upper + lower + digits + signs
)

// Check fails unless the set can be written for a job. Every variable must be one line of
// text, every file must have a safe name, every secret must be long enough to
// be masked, and no credential, variable or file may occur twice. The error has the name
// or the kind of what is wrong, never the value.
func (s Set) Check() error {
	seen := map[string]bool{}
	once := func(what string) error {
		if seen[what] {
			return fmt.Errorf("%s occurs twice", what)
		}
		seen[what] = true
		return nil
	}
	for _, c := range s {
		if err := errors.Join(once("credential "+c.String()), c.check(once)); err != nil {
			return err
		}
	}
	if s.envSize() > MaxFile && len(s.EnvFile()) > MaxFile {
		return fmt.Errorf("the env file is larger than %d bytes", MaxFile)
	}
	return nil
}

// envSize returns the length of the lines of all variables, also of those that are not in the env file.
func (s Set) envSize() int {
	size := 0
	for _, c := range s {
		for _, v := range c.Env {
			size += len(v.Name) + len("=") + len(v.Value.Reveal()) + len("\n")
		}
	}
	return size
}

// check checks one credential. The function once fails if it was called before with the
// same text.
func (c Credential) check(once func(string) error) error {
	if c.Provider == "" || len(c.Provider) > maxName || len(c.Name) > maxName || strings.Trim(c.Provider+c.Name, plain) != "" {
		return errors.New("the provider or the name of a credential is not valid")
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
	for _, f := range c.Folders {
		if err := errors.Join(f.check(), once("variable "+f.Variable)); err != nil {
			return err
		}
	}
	return CheckSecrets(c.Secrets)
}

// CheckVariable fails unless scripts can have a variable. The error does not hold the value.
func CheckVariable(name, value string) error {
	return Variable{name, mask.NewSecret(value)}.check()
}

// check checks a variable of scripts.
func (v Variable) check() error {
	if err := checkName(v.Name); err != nil {
		return err
	}
	value := v.Value.Reveal()
	if len(value) < 1 || len(value) > maxValue {
		return fmt.Errorf("the value of %s has %d bytes, and must have 1 to %d", v.Name, len(value), maxValue)
	}
	if odd := oddIn(value); odd != "" {
		return fmt.Errorf("the value of %s has %s; a variable is one line of text: give such a value in a file", v.Name, odd)
	}
	return nil
}

// Apart reports whether a variable cannot be in the env file, since not all readers of such a
// file read its value alike.
func (v Variable) Apart() bool { return strings.Trim(v.Value.Reveal(), plain) != "" }

// oddIn names what no variable may have, since the value must not be shown. It is empty if
// there is nothing.
func oddIn(value string) string {
	if !utf8.ValidString(value) {
		return "bytes that are not UTF-8"
	}
	for _, c := range value {
		switch {
		case c == '\n' || c == '\r' || c == '\u2028' || c == '\u2029' || c == '\u0085':
			return "a line break"
		case unicode.IsControl(c) && c != '\t':
			return "a control character"
		}
	}
	return ""
}

// check checks a file.
func (f File) check() error {
	if !isFileName(f.Name) {
		return fmt.Errorf("the name of the file for %s is malformed; it must be 1 to %d letters, digits, dots, _ or -, no dot first", strings.Join(f.Variables, ", "), maxName)
	}
	if len(f.Content.Reveal()) > MaxFile || !utf8.ValidString(f.Content.Reveal()) {
		return fmt.Errorf("file %s is not UTF-8 of at most %d bytes", f.Name, MaxFile)
	}
	if f.As != "" && !isFileName(f.As) {
		return fmt.Errorf("the name of the file %s in its own folder is malformed", f.Name)
	}
	for _, name := range f.Variables {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

// isFileName reports whether a file can have that name.
func isFileName(name string) bool {
	return len(name) >= 1 && len(name) <= maxName && name[0] != '.' && strings.Trim(name, upper+lower+digits+"._-") == ""
}

// check checks a folder.
func (f Folder) check() error {
	if !filepath.IsLocal(f.Path) || strings.Trim(f.Path, upper+lower+digits+"._-/") != "" {
		return fmt.Errorf("the path of the folder for %s is malformed", f.Variable)
	}
	return checkName(f.Variable)
}

// Kind returns a text as the kind of a secret, which is bounded: the name of a variable may be as
// long.
func Kind(text string) string { return text[:min(len(text), maxName)] }

// CheckSecrets fails unless every secret can be masked and has a kind that can be
// printed. The error names the kind of the first bad one.
func CheckSecrets(secrets []mask.Named) error {
	for _, secret := range secrets {
		if err := checkSecret(secret); err != nil {
			return err
		}
	}
	return nil
}

// checkSecret is CheckSecrets for one secret.
func checkSecret(secret mask.Named) error {
	if n := len(secret.Kind); n < 1 || n > maxName || strings.Trim(secret.Kind, plain+" ") != "" {
		return errors.New("the kind of a secret is not valid")
	}
	if n := len(secret.Value.Reveal()); n < mask.MinLen || n > MaxFile || !utf8.ValidString(secret.Value.Reveal()) {
		return fmt.Errorf("%s is not UTF-8 of %d to %d bytes", secret.Kind, mask.MinLen, MaxFile)
	}
	return nil
}
