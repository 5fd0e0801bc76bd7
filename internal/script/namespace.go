package script

import "syscall"

// Namespace is a user namespace whose root is the User, with a mount namespace of its own.
// Ids from 1 to Count are those of the host from First on; the same is true of groups.
// Inside, root has all capabilities over these ids and over no others, and no_new_privs
// stays.
//
// https://man7.org/linux/man-pages/man7/user_namespaces.7.html
type Namespace struct {
	First uint32 `json:"first"`
	Count uint32 `json:"count"`

	Net bool `json:"net,omitempty"` // with a network namespace of its own

	// Joins says that the program enters a namespace itself, as nsenter(1) does. It starts
	// as root without any capability: that suffices for a namespace that root has made.
	Joins bool `json:"-"`
}

// Attr returns the attributes of a process that starts in the namespace. Only root can start
// it.
func (n Namespace) Attr(u User) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	n.enter(u, attr)
	return attr
}

// enter lets a process start in the namespace, whose root is the user.
func (n Namespace) enter(u User, attr *syscall.SysProcAttr) {
	if n.Joins {
		attr.Credential = &syscall.Credential{}
		return
	}
	mapping := func(root uint32) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{
			{ContainerID: 0, HostID: int(root), Size: 1},
			{ContainerID: 1, HostID: int(n.First), Size: int(n.Count)},
		}
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
	if n.Net {
		attr.Cloneflags |= syscall.CLONE_NEWNET
	}
	attr.UidMappings, attr.GidMappings, attr.GidMappingsEnableSetgroups = mapping(u.UID), mapping(u.GID), true
	attr.Credential = &syscall.Credential{}
}
