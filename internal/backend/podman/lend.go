package podman

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// lentFile is the name of the file, in the Dir of a job, that is there while files of the
// work tree may belong to other users than the job's.
const lentFile = "lent"

// lendTime bounds how long files change their owner.
const lendTime = time.Minute

// lend gives the files that the container shares with the host to the user whom the scripts
// have there, if that is not the container's root. Until takeBack, files may belong to
// others, also to those that a script makes in the container.
//
// It is done by the root of the container's user namespace, whose rights do not reach any
// file of other users of the host.
func (e engine) lend(ctx context.Context, c container) error {
	if err := os.WriteFile(filepath.Join(e.place.Dir, lentFile), nil, 0o600); err != nil {
		return err
	}
	_ = os.Remove(filepath.Join(e.place.Own, began)) // of a stage that was killed
	if c.UID == 0 {
		return nil
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
	if len(there) == 0 {
		return nil
	}
	_, err := e.tool(ctx, slices.Concat([]string{"chown", "--recursive", "--no-dereference", "--", owner}, there))
	if errors.As(err, new(failure)) {
		return nil // it has gone on with all others
	}
	return err
}
