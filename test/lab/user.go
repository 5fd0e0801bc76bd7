package lab

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/account"
)

// NoPolicy returns the flags of a runner without a policy file. If the test is root,
// its scripts run as a user that every Debian has.
func NoPolicy() []string {
	if os.Geteuid() != 0 {
		return []string{"--no-policy"}
	}
	return []string{"--no-policy", "--run-as", "www-data"}
}

// AsRoot returns the flags of a runner without a policy file whose scripts run as the
// test's own user, as on the shell executor.
func AsRoot() []string {
	if os.Geteuid() != 0 {
		return []string{"--no-policy"}
	}
	return []string{"--no-policy", "--run-as", "root"}
}

// openPath lets other users pass through a temporary folder and those above it.
func openPath(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	var err error
	for ; strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		err = errors.Join(err, os.Chmod(dir, 0o711))
	}
	return err
}

// handOver makes the user of the options, or of --run-as, if there is one, the owner of the
// folders of jobs.
func (r *RunnerService) handOver(opts RunnerOptions) error {
	name := cmp.Or(opts.User, userOf(opts.Runners))
	if name == "" || os.Geteuid() != 0 {
		return nil
	}
	user, err := account.Lookup(name)
	if err != nil {
		return err
	}
	for _, dir := range []string{r.BuildsDir, r.CacheDir} {
		err = errors.Join(err, os.Chown(dir, int(user.UID), int(user.GID)))
	}
	if err != nil {
		return fmt.Errorf("hand the folders over to %s: %w", name, err)
	}
	return nil
}

// userOf returns the user of --run-as, and "" if it is root or absent.
func userOf(runners []Runner) string {
	for _, r := range runners {
		if i := slices.Index(r.Args, "--run-as"); i >= 0 && r.Args[i+1] != "root" {
			return r.Args[i+1]
		}
	}
	return ""
}
