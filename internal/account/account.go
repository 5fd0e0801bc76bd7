// Package account looks up unix users of the host, as whom the jobs of a tenant
// may run.
package account

import (
	"fmt"
	"os"
	"strings"
)

// Account is a user of the host that is fit to run scripts: neither root nor of
// root's group, and the only one with its uid.
type Account struct {
	Name   string
	UID    uint32
	GID    uint32
	Groups []uint32 // all of them, GID first
	Home   string
	Shell  string

	groupNames []string
}

// Lookup returns the account with a name. An error says why there is none, or
// why no script may run as it: uid 0, a group with gid 0, or a uid or a name that
// the host has twice, since two tenants of one uid would be one.
//
// It reads /etc/passwd and /etc/group itself: the programs are static, so the
// name service switch is out of their reach. os/user would then read the same two
// files, but tells neither shells nor which names share a uid.
func Lookup(name string) (Account, error) { return lookup("/etc/passwd", "/etc/group", name) }

// RunnableBy returns an error where a process with that effective uid cannot run
// scripts as the account: it has to be root, or the account itself.
func (a Account) RunnableBy(euid int) error {
	if euid == 0 || euid == int(a.UID) {
		return nil
	}
	return fmt.Errorf("user %q: uid %d cannot run scripts as uid %d: let root run the runner", a.Name, euid, a.UID)
}

// Powerful returns those of the account's groups that are as good as root on most
// hosts, or may read what is root's, by name.
func (a Account) Powerful() []string {
	var found []string
	for _, name := range a.groupNames {
		switch name {
		case "adm", "admin", "disk", "docker", "incus-admin", "kmem", "kvm", "libvirt", "lxd", "shadow", "staff",
			"sudo", "systemd-journal", "wheel":
			found = append(found, name)
		}
	}
	return found
}

// lookup is Lookup in the files at those paths.
func lookup(passwdPath, groupPath, name string) (Account, error) {
	if !isName(name) {
		return Account{}, fmt.Errorf("user %q: want a name, of a-z, 0-9, _ and -, that starts with a letter or _ and has at most 32", name)
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

// isName reports whether a name matches ^[a-z_][a-z0-9_-]{0,31}$, as useradd(8)
// wants it.
func isName(name string) bool {
	return name != "" && len(name) <= 32 && !strings.ContainsAny(name[:1], "-0123456789") &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}
