// Package provision makes on a host what its policy file asks for and no package brings: the
// unix users of tenants, and the folders above those that the driver makes for itself.
package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"rolecall/internal/script"
	"rolecall/internal/tenant"
)

// Step is a command that makes one thing that is not there yet.
type Step struct {
	What    string   `json:"what"`    // what it makes, such as the unix user ci-alpha
	Command []string `json:"command"` // the program, with its arguments
}

// String returns the command as a shell takes it.
func (s Step) String() string {
	words := make([]string, len(s.Command))
	for i, word := range s.Command {
		words[i] = shellWord(word)
	}
	return strings.Join(words, " ")
}

// shellWord returns a word as a shell takes it.
func shellWord(word string) string {
	if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@") != "" {
		return script.Quote(word)
	}
	return word
}

// Plan is what a host lacks, in the order in which it is made. Nothing in it changes or
// removes what exists.
type Plan struct {
	Steps    []Step   `json:"steps"`
	Warnings []string `json:"warnings"` // about what exists, and stays as it is
}

// For returns what this host lacks for a policy file. It changes nothing, and every user may
// call it. An error says what on the host is in the way of a step, which an admin must
// correct.
func For(policy *tenant.Policy) (Plan, error) {
	p := Plan{Steps: []Step{}, Warnings: []string{}}
	return p, errors.Join(p.addUsers(policy), p.addFolders(policy.Settings()))
}

// Do runs the steps in their order. It calls done after each that has succeeded, and ends
// with the first that fails. Only root can make users.
func (p Plan) Do(ctx context.Context, done func(Step)) error {
	if uid := os.Geteuid(); uid != 0 && len(p.Steps) > 0 {
		return fmt.Errorf("you are user %d, and only root can make users and folders: run it as root", uid)
	}
	for _, s := range p.Steps {
		if err := s.run(ctx); err != nil {
			return err
		}
		done(s)
	}
	return nil
}

// run runs the command of a step.
func (s Step) run(ctx context.Context) error {
	program := find(s.Command[0])
	if program == "" {
		return fmt.Errorf("%s is in no folder of %s: install it (on Debian the package passwd, on Fedora shadow-utils), or make %s in another way", s.Command[0], path, s.What)
	}
	command := exec.CommandContext(ctx, program, s.Command[1:]...)
	command.Env = []string{"PATH=" + path, "LC_ALL=C"}
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %.300q", s, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// path are the folders of the programs. The caller's own PATH may name folders of others.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// find returns the path of a program, or an empty text.
func find(name string) string {
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return file
		}
	}
	return ""
}
