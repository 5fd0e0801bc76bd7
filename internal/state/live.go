package state

import (
	"os"

	"golang.org/x/sys/unix"
)

// Live returns how many jobs below root have credentials now. It does not look into their
// folders. A root that is not there, or is planted, has none.
func Live(root string) int {
	top, err := openOwn(root)
	if top == nil || err != nil {
		return 0
	}
	defer top.close()
	entries, err := os.ReadDir(procPath(top.fd))
	n := 0
	for _, id := range jobsOf(entries) {
		if unix.Faccessat(top.fd, id.String()+"/"+issuedName, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil {
			n++
		}
	}
	if err != nil {
		return 0
	}
	return n
}
