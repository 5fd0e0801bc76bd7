package script

import "syscall"

// Namespace is a user namespace whose root is the User, with a mount namespace of its own.
// Ids from 1 to Count are those of the host from First on; the same is true of groups.
// Inside, root has all capabilities over these ids and over no others, and no_new_privs
// stays.
//
// https://man7.org/linux/man-pages/man7/user_namespaces.7.html
type Namespace struct {
	First uint32
	Count uint32
}

// enter lets a process start in the namespace, whose root is the user.
func (n Namespace) enter(u User, attr *syscall.SysProcAttr) {
	mapping := func(root uint32) []syscall.SysProcIDMap {
		return []syscall.SysProcIDMap{
			{ContainerID: 0, HostID: int(root), Size: 1},
			{ContainerID: 1, HostID: int(n.First), Size: int(n.Count)},
		}
	}
	attr.Cloneflags |= syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS
	attr.UidMappings, attr.GidMappings, attr.GidMappingsEnableSetgroups = mapping(u.UID), mapping(u.GID), true
	attr.Credential = &syscall.Credential{}
}
