package script

import (
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// User is as whom a script runs, in numbers.
type User struct {
	UID    uint32
	GID    uint32
	Groups []uint32 // the supplementary ones, no others are kept
}

// credential returns what the kernel is to switch to. That is nothing where the
// driver is the user itself, and not root. Root's own ids are an error.
func (u User) credential() (*syscall.Credential, error) {
	if u.UID == 0 || u.GID == 0 || slices.Contains(u.Groups, 0) {
		return nil, errors.New("run the script as a user: root, or a member of its group, is none")
	}
	switch os.Geteuid() {
	case 0:
		return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}, nil
	case int(u.UID):
		return nil, nil // there is nothing to switch
	}
	return nil, fmt.Errorf("run the script as uid %d: only root can, and the driver's uid is %d", u.UID, os.Geteuid())
}

// restrict takes from the calling thread what a child must not inherit from it:
// the way to privileges by setuid and setgid programs or file capabilities, the
// capabilities that such a program could get, and the session keyring. None of
// that can be undone, but it binds this thread alone. The process gets a umask
// of 077, dumps no core and is closed to ptrace, since between fork and exec the
// child is the user already and shares the driver's memory.
func restrict() error {
	unix.Umask(0o077)
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("close the driver's memory: %w", err)
	}
	if err := noCore(); err != nil {
		return fmt.Errorf("turn core dumps off: %w", err)
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// Containers often forbid keyrings to all that is inside.
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("make a session keyring: %w", err)
	}
	return nil
}

// noCore keeps this process and its children from dumping core. A limit of 0
// does not hold for a core_pattern that is a pipe, one of 1 does: the kernel
// keeps it for the pipe's own helper.
//
// https://github.com/torvalds/linux/blob/v6.12/fs/coredump.c (do_coredump), core(5)
func noCore() error {
	err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1})
	if errors.Is(err, unix.EPERM) { // the limit is 0 and must stay so
		return nil
	}
	return err
}

// dropCapabilities empties the calling thread's inheritable set, and with it the
// ambient one, and as root the bounding set.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	sets[0].Inheritable, sets[1].Inheritable = 0, 0
	if err := unix.Capset(&header, &sets[0]); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil // no_new_privs does without
	}
	for capability := uintptr(0); ; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // the kernel knows no more
		}
		if err != nil {
			return err
		}
	}
}

// protection is where a process reads and sets how much the OOM killer spares it.
const protection = "/proc/self/oom_score_adj"

// unprotected runs start with the protection from the OOM killer, which children
// inherit, taken away, and gives it back. Neither matters enough to fail for, and
// root in a container may lack the capability for the second.
func unprotected(protection string, start func() (int, error)) (int, error) {
	text, _ := os.ReadFile(protection)
	if len(text) > 0 && text[0] == '-' {
		_ = os.WriteFile(protection, []byte("0"), 0)
		defer func() { _ = os.WriteFile(protection, text, 0) }()
	}
	return start()
}

// fork starts a program as syscall.ForkExec does, as the user. The process's
// standard output and error are pipes of the driver.
func (u User) fork(path string, args []string, process *syscall.ProcAttr) (int, error) {
	credential, err := u.credential()
	if err != nil {
		return 0, err
	}
	if err := restrict(); err != nil {
		return 0, err
	}
	process.Sys.Credential = credential
	if credential != nil {
		for _, fd := range process.Files[1:] { // so that the script can open /dev/stdout
			if err := unix.Fchown(int(fd), int(u.UID), int(u.GID)); err != nil {
				return 0, fmt.Errorf("hand over the output: %w", err)
			}
		}
	}
	return unprotected(protection, func() (int, error) {
		pid, err := syscall.ForkExec(path, args, process)
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
			process.Dir = "/" // only the user itself can tell that its folder is closed to it
			pid, err = syscall.ForkExec(path, args, process)
		}
		return pid, err
	})
}

// seal sees to it that what the service left open does not get to the script.
func seal() error {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	return sealEach()
}

// sealEach does seal's work on kernels before 5.11.
func sealEach() error {
	entries, err := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}
