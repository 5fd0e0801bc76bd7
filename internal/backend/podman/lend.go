package podman

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// lentFile is the name of the file, in the Dir of a job, that is there while files of the
// work tree may belong to other users than the job's.
const lentFile = "lent"

// lendTime bounds how long files change their owner.
const lendTime = time.Minute

// isLent reports whether the file is there. Where no script runs, the stage of the last one was
// killed.
func (p place) isLent() bool {
	_, err := os.Lstat(filepath.Join(p.Dir, lentFile))
	return err == nil
}

// lend gives the files that the container shares with the host to the user whom the scripts
// have there, if that is not the container's root. Until takeBack, files may belong to
// others, also to those that a script makes in the container.
//
// It is done by the root of the container's user namespace, whose rights do not reach any
// file of other users of the host.
func (e engine) lend(ctx context.Context, c container) error {
	if err := os.WriteFile(filepath.Join(e.place.Dir, lentFile), nil, 0o600); err != nil || c.UID == 0 {
		return err
	}
	return e.own(ctx, c.UID, c.GID)
}

// takeBack gives all files of the shared folders to the job's user. No process of the
// container is alive.
func (e engine) takeBack(ctx context.Context) error {
	if err := e.outside().own(ctx, 0, 0); err != nil {
		return fmt.Errorf("give the files of the container to the job's user: %w", err)
	}
	return os.Remove(filepath.Join(e.place.Dir, lentFile))
}

// own gives all files of the shared folders to a user of the container. A folder may be gone
// when its job is ended late. A file of a user whom the namespace does not have, such as one
// of the admin's, is none of the container's, and stays as it is.
func (e engine) own(ctx context.Context, uid, gid uint32) error {
	ctx, cancel := context.WithTimeout(ctx, lendTime)
	defer cancel()
	owner := fmt.Sprintf("%d:%d", uid, gid)
	there := slices.DeleteFunc(e.place.shared(), func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
	if len(there) == 0 || uid == 0 && !slices.ContainsFunc(there, e.hasForeign) {
		return nil
	}
	_, err := e.tool(ctx, slices.Concat([]string{"chown", "--recursive", "--no-dereference", "--", owner}, there))
	if errors.As(err, new(failure)) {
		return nil // it has gone on with all others
	}
	return err
}

// hasForeign reports whether a folder has, or may have, files of another user than the job's.
// It leaves the folder on no path.
func (e engine) hasForeign(path string) bool {
	root, err := os.OpenRoot(path)
	if err != nil {
		return true
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != e.as.UID || stat.Gid != e.as.GID {
			return errForeign
		}
		return nil
	}) != nil
}

// errForeign says that a file belongs to another user.
var errForeign = errors.New("a file of another user")
