// Package account looks up the unix users of the host that jobs of a tenant may run as.
package account

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// Account is a user of the host that may run scripts. It is not root, is in no group
// with gid 0, and shares its uid with nobody.
type Account struct {
	Name   string
	UID    uint32
	GID    uint32
	Groups []uint32 // all groups of the user, GID first
	Home   string
	Shell  string

	groupNames []string
}

// Lookup returns the account with a name. It fails if the host has no such user, and
// if no script may run as the user: uid 0, a group with gid 0, a name that occurs
// twice, or a uid that another name has, too. Two tenants with one uid would not be
// isolated from each other.
//
// Lookup reads /etc/passwd and /etc/group itself. The programs are linked statically
// and cannot use the name service switch. os/user would read the same two files, but
// reports neither the shell nor which names share a uid.
func Lookup(name string) (Account, error) { return lookup("/etc/passwd", "/etc/group", name) }

// Login returns the name, home and shell of the first user in /etc/passwd that has the uid,
// which may be root's. If there is none, ok is false: a container often knows no name of
// its user.
func Login(uid int) (a Account, ok bool) { return login("/etc/passwd", uid) }

// RunnableBy returns an error if a process with the effective uid euid cannot run
// scripts as the account: only root and the account itself can.
func (a Account) RunnableBy(euid int) error {
	if euid == 0 || euid == int(a.UID) {
		return nil
	}
	return fmt.Errorf("user %q: uid %d cannot run scripts as uid %d: let root run the runner", a.Name, euid, a.UID)
}

// Powerful returns the names of those of the account's groups that, on most hosts, can
// become root or can read root's files.
func (a Account) Powerful() []string {
	return slices.DeleteFunc(slices.Clone(a.groupNames), func(name string) bool { return !isPowerful(name) })
}

// isPowerful reports whether, on most hosts, members of a group can become root or can
// read root's files.
func isPowerful(group string) bool {
	switch group {
	case "adm", "admin", "disk", "docker", "incus-admin", "kmem", "libvirt", "lxd", "shadow", "staff",
		"sudo", "systemd-journal", "wheel":
		return true
	}
	return false
}

// lookup is Lookup with the paths of the two files.
func lookup(passwdPath, groupPath, name string) (Account, error) {
	if !isName(name) {
		return Account{}, fmt.Errorf("user %q: want a name of at most 32 characters a-z, 0-9, _ and -, that starts with a letter or _", name)
	}
	passwd, err := os.ReadFile(passwdPath)
	if err != nil {
		return Account{}, err
	}
	group, err := os.ReadFile(groupPath)
	if err != nil {
		return Account{}, err
	}
	account, err := find(string(passwd), name)
	if err == nil {
		err = account.addGroups(string(group))
	}
	if err != nil {
		return Account{}, fmt.Errorf("user %q: %w", name, err)
	}
	return account, nil
}

// isName reports whether a name matches ^[a-z_][a-z0-9_-]{0,31}$, the form that
// useradd(8) recommends.
func isName(name string) bool {
	return name != "" && len(name) <= 32 && !strings.ContainsAny(name[:1], "-0123456789") &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// login is Login with the path of the file.
func login(passwdPath string, uid int) (Account, bool) {
	passwd, _ := os.ReadFile(passwdPath)
	for line := range strings.Lines(string(passwd)) {
		if a, err := parse(strings.TrimSuffix(line, "\n")); err == nil && int(a.UID) == uid {
			return a, true
		}
	}
	return Account{}, false
}
