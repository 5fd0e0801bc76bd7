package account

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ErrUnknown says that the host has no user of a name.
var ErrUnknown = errors.New("not in /etc/passwd; users of LDAP or sssd cannot be used")

// find returns the account with a name from passwd, the text of /etc/passwd. Its groups
// are not filled in.
//
// https://man7.org/linux/man-pages/man5/passwd.5.html
func find(passwd, name string) (Account, error) {
	var found *Account
	names := map[uint32][]string{}
	for line := range strings.Lines(passwd) {
		account, err := parse(strings.TrimSuffix(line, "\n"))
		if account.Name == name {
			if err != nil {
				return Account{}, err
			}
			if found != nil {
				return Account{}, errors.New("it occurs twice in /etc/passwd: remove one of the lines")
			}
			found = &account
		}
		if err == nil {
			names[account.UID] = append(names[account.UID], account.Name)
		}
	}
	if found == nil {
		return Account{}, ErrUnknown
	}
	if found.UID == 0 {
		return Account{}, errors.New("its uid is 0, so it is root: a tenant needs an ordinary user")
	}
	if sharing := names[found.UID]; len(sharing) > 1 {
		return Account{}, fmt.Errorf("its uid %d is shared by %s: a tenant needs a uid that nobody shares", found.UID, strings.Join(sharing, " and "))
	}
	return *found, nil
}

// parse reads a line of /etc/passwd. If it fails, the account has only its name.
func parse(line string) (Account, error) {
	fields := strings.Split(line, ":")
	account := Account{Name: fields[0]}
	if len(fields) != 7 {
		return account, fmt.Errorf("its line in /etc/passwd has %d fields, want 7", len(fields))
	}
	uid, err := parseID(fields[2])
	if err != nil {
		return account, fmt.Errorf("its uid in /etc/passwd: %w", err)
	}
	gid, err := parseID(fields[3])
	if err != nil {
		return account, fmt.Errorf("its gid in /etc/passwd: %w", err)
	}
	account.UID, account.GID, account.Home, account.Shell = uid, gid, fields[5], fields[6]
	return account, nil
}

// parseID reads a uid or gid. To the kernel the greatest number means "no id".
func parseID(text string) (uint32, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	if err == nil && id == math.MaxUint32 {
		err = fmt.Errorf("%d means no id", id)
	}
	return uint32(id), err
}

// addGroups adds the groups of the account from group, the text of /etc/group, as
// initgroups(3) would. It skips lines that do not describe a group.
//
// https://man7.org/linux/man-pages/man5/group.5.html
func (a *Account) addGroups(group string) error {
	a.Groups = []uint32{a.GID}
	for line := range strings.Lines(group) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), ":")
		if len(fields) != 4 {
			continue
		}
		gid, err := parseID(fields[2])
		if err != nil || gid != a.GID && !slices.Contains(strings.Split(fields[3], ","), a.Name) {
			continue
		}
		if !slices.Contains(a.Groups, gid) {
			a.Groups = append(a.Groups, gid)
		}
		a.groupNames = append(a.groupNames, fields[0])
	}
	if slices.Contains(a.Groups, 0) {
		return errors.New("it is in a group with gid 0, the group of root: remove it from this group")
	}
	return nil
}
