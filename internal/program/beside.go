package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"rolecall/internal/fault"
)

// Beside returns the command of another program of the driver, which lies beside this one. It
// starts in the root, since this one's folder is not for the users of jobs.
func Beside(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	path := PathBeside(name)
	if path == "" {
		return nil, errors.New("the folder of the driver's programs is not known")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = "/"
	return cmd, nil
}

// PathBeside returns the path of another program of the driver. It is empty if the folder of
// this program is not known.
func PathBeside(name string) string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	return filepath.Join(filepath.Dir(self), name)
}

// CannotStart returns why a program of the driver did not start. It is the fault.Programs of
// the admin if the program is missing, or if the job's user cannot start it where it lies.
func CannotStart(cmd *exec.Cmd, err error) error {
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return fault.New(fault.Programs, fmt.Errorf("the job's user cannot start %s: %w", cmd.Path, errors.Unwrap(err)),
		"install all programs of rolecall in one folder that the users of jobs can pass through, such as /usr/libexec/rolecall; rolecall check says what is in the way")
}
