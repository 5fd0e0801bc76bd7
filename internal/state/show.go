package state

import (
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

// show lets the user read the file name in d, which belongs to the driver's user, and do
// nothing else with it: who owns a file can also make it longer, until it fills the tmpfs.
// Where the file system has no access control lists, the file becomes the user's, with
// mode 0400.
//
// https://man7.org/linux/man-pages/man5/acl.5.html
func (d dir) show(name string, to Owner) error {
	fd, _, err := openat(d.fd, name, d.join(name), unix.S_IFREG, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer dir{fd: fd}.close()
	err = unix.Fsetxattr(fd, "system.posix_acl_access", readersOf(to.UID), 0)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = errors.Join(unix.Fchmod(fd, 0o400), unix.Fchown(fd, int(to.UID), int(to.GID)))
	}
	return d.errorf(name, err)
}

// readersOf returns the access control list of a file that its owner may read and write,
// and the user read.
//
// https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/posix_acl_xattr.h
func readersOf(uid uint32) []byte {
	const version, nobody = 2, 0xffffffff
	const owner, user, group, mask, other = 0x01, 0x02, 0x04, 0x10, 0x20
	const read, write = 4, 2
	list := binary.LittleEndian.AppendUint32(nil, version)
	for _, entry := range []struct {
		tag, rights uint16
		id          uint32
	}{{owner, read | write, nobody}, {user, read, uid}, {group, 0, nobody}, {mask, read, nobody}, {other, 0, nobody}} {
		list = binary.LittleEndian.AppendUint16(list, entry.tag)
		list = binary.LittleEndian.AppendUint16(list, entry.rights)
		list = binary.LittleEndian.AppendUint32(list, entry.id)
	}
	return list
}
