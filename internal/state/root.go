package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// passable is the mode of the folders above the folder of another user's job.
const passable = 0o711

// Roots returns the folders that may hold the state of jobs of the driver's user, the
// best first. All but the last are used only if they are on a tmpfs.
func Roots() []string {
	name := fmt.Sprintf("rolecall-%d", os.Geteuid())
	return []string{"/run/rolecall", filepath.Join("/dev/shm", name), filepath.Join("/var/tmp", name)}
}

// Root returns chosen, the folder that the config stage has chosen. If it is empty, Root
// chooses a folder and makes it, as Choose does.
func Root(chosen string, warn func(error)) (string, error) {
	if chosen != "" {
		return chosen, nil
	}
	return Choose(Roots(), warn)
}

// Choose returns the first of roots that can be used, and makes it if necessary. It passes
// over a root that this user cannot make, or that is a folder of the user root. It also
// passes over a root that is planted: a link, a file, or a folder of any other user, which
// everybody can put into /dev/shm; then it calls warn with the reason. The last root must
// be usable, and a folder of this user must not be open to others.
func Choose(roots []string, warn func(error)) (string, error) {
	for i, root := range roots {
		last := i == len(roots)-1
		if !last && !OnTmpfs(filepath.Dir(root)) && !OnTmpfs(root) {
			continue
		}
		d, err := makeRoot(root)
		if err == nil {
			d.close()
			return root, nil
		}
		if last || !isPlanted(err) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EROFS) {
			return "", err
		}
		if isPlanted(err) && !isRoots(err) {
			warn(err)
		}
	}
	return "", errors.New("no folder for the state of jobs")
}

// isRoots reports whether err says that a folder belongs to the user root.
func isRoots(err error) bool {
	foreign, ok := errors.AsType[foreignError](err)
	return ok && foreign.uid == 0
}

// KeysDir returns the folder in root for the keys of the issuer of ID tokens, and makes
// it if necessary. The root must exist. The keys outlive jobs.
func KeysDir(root string) (string, error) {
	top, err := openRoot(root)
	if err != nil {
		return "", err
	}
	defer top.close()
	if err := unix.Mkdirat(top.fd, "keys", 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return "", top.errorf("keys", err)
	}
	return top.join("keys"), nil
}

// OnTmpfs reports whether path is on a file system that keeps its files in memory.
func OnTmpfs(path string) bool {
	var stat unix.Statfs_t
	err := unix.Statfs(path, &stat)
	return err == nil && (stat.Type == unix.TMPFS_MAGIC || stat.Type == unix.RAMFS_MAGIC)
}

// makeRoot is openRoot, but makes the folder if necessary.
func makeRoot(root string) (dir, error) {
	if err := unix.Mkdir(root, 0o700); err != nil && !errors.Is(err, unix.EEXIST) {
		return dir{}, fmt.Errorf("%s: %w", root, err)
	}
	return openRoot(root)
}

// openRoot opens the folder of all jobs. It must belong to the driver's user. Its mode
// must be closed to all others or passable, the mode that it gets with the first job of
// another user. If the folder does not exist, the error is an fs.ErrNotExist.
func openRoot(root string) (dir, error) {
	d, err := openDir(unix.AT_FDCWD, root, root)
	if err != nil {
		return dir{}, err
	}
	stat, err := d.stat()
	if err != nil || stat.Mode&0o077 != 0 && stat.Mode&0o077 != passable&0o077 {
		d.close()
		return dir{}, fmt.Errorf("%s is open to other users (mode %04o); chmod it to 0700", root, stat.Mode&0o7777)
	}
	return d, nil
}
