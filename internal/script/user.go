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

// User is the unix user that a script runs as.
type User struct {
	UID    uint32
	GID    uint32
	Groups []uint32 // supplementary groups; the script has no others

	// Own is the user and mount namespace that the process starts in, as its root; nil: the
	// driver's own. Only root can make one.
	Own *Namespace
}

// assume makes a process that is started with attr one of the user.
func (u User) assume(attr *syscall.SysProcAttr) error {
	credential, err := u.credential()
	if err != nil {
		return err
	}
	if err := restrict(); err != nil {
		return err
	}
	attr.Credential = credential
	if u.Own != nil {
		u.Own.enter(u, attr)
	}
	return nil
}

// credential returns the ids that the kernel must switch to, and nil if the driver
// already runs as the user. Root's uid and gid are an error.
func (u User) credential() (*syscall.Credential, error) {
	if u.UID == 0 || u.GID == 0 || slices.Contains(u.Groups, 0) {
		return nil, errors.New("run the script as a user: it must not be root or a member of root's group")
	}
	switch os.Geteuid() {
	case 0:
		return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups}, nil
	case int(u.UID):
		return nil, nil // the process has these ids already
	}
	return nil, fmt.Errorf("run the script as uid %d: only root can, and the driver's uid is %d", u.UID, os.Geteuid())
}

// restrict takes from the calling thread what a child must not inherit: the way to
// privileges by setuid and setgid programs or file capabilities, the capabilities that
// such a program could get, and the session keyring. This cannot be undone, but it
// affects only this thread. The whole process gets umask 077 and cannot dump core or be
// traced: between fork and exec the child already runs as the user, and shares the
// driver's memory.
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
	// Containers often forbid keyrings.
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("make a session keyring: %w", err)
	}
	return nil
}

// noCore keeps this process and its children from dumping core. If core_pattern is a
// pipe, the kernel ignores a limit of 0; but with a limit of 1 it does not dump, since it
// takes the process for the pipe's own helper.
//
// https://github.com/torvalds/linux/blob/v6.12/fs/coredump.c (do_coredump), core(5)
func noCore() error {
	err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1})
	if errors.Is(err, unix.EPERM) { // the limit is 0 already, and cannot be raised
		return nil
	}
	return err
}

// dropCapabilities empties the calling thread's inheritable set, and so its ambient set.
// As root it empties the bounding set, too. See capabilities(7).
func dropCapabilities() error {
	err := emptyInheritable()
	if err != nil || os.Geteuid() != 0 {
		return err // only root can change the bounding set; for others no_new_privs suffices
	}
	return emptyBounding()
}

// emptyInheritable empties the calling thread's inheritable set.
func emptyInheritable() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return err
	}
	sets[0].Inheritable, sets[1].Inheritable = 0, 0
	return unix.Capset(&header, &sets[0])
}

// emptyBounding empties the calling thread's bounding set.
func emptyBounding() error {
	for capability := uintptr(0); ; capability++ {
		err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0)
		if errors.Is(err, unix.EINVAL) {
			return nil // the kernel has no more capabilities
		}
		if err != nil {
			return err
		}
	}
}

// protection is the file with this process's protection from the OOM killer,
// proc_pid_oom_score_adj(5). A negative number protects the process.
const protection = "/proc/self/oom_score_adj"

// unprotected calls start while this process has no protection from the OOM killer, since
// a child inherits it. Afterwards it restores the protection. Errors are ignored: a
// script must run without this, and root in a container may lack the capability to
// restore it.
func unprotected(protection string, start func() (int, error)) (int, error) {
	text, _ := os.ReadFile(protection)
	if len(text) > 0 && text[0] == '-' {
		_ = os.WriteFile(protection, []byte("0"), 0)
		defer func() { _ = os.WriteFile(protection, text, 0) }()
	}
	return start()
}

// fork starts a program as the user. Its arguments are those of syscall.ForkExec. The
// process's standard output and standard error must be pipes of the driver.
func (u User) fork(path string, args []string, process *syscall.ProcAttr) (int, error) {
	if err := u.assume(process.Sys); err != nil {
		return 0, err
	}
	if process.Sys.Credential != nil {
		if err := u.handOver(process.Files[1:3]); err != nil {
			return 0, err
		}
	}
	return unprotected(protection, func() (int, error) { return forkExec(path, args, process) })
}

// handOver makes the user the owner of the outputs, so that the script can open
// /dev/stdout.
func (u User) handOver(outputs []uintptr) error {
	for _, fd := range outputs {
		if err := unix.Fchown(int(fd), int(u.UID), int(u.GID)); err != nil {
			return fmt.Errorf("hand over the output: %w", err)
		}
	}
	return nil
}

// forkExec is syscall.ForkExec, but starts the program in / if it cannot start in its Dir.
func forkExec(path string, args []string, process *syscall.ProcAttr) (int, error) {
	pid, err := syscall.ForkExec(path, args, process)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		process.Dir = "/" // whether the user can enter Dir shows only when the user tries
		pid, err = syscall.ForkExec(path, args, process)
	}
	return pid, err
}

// closeOnExec marks all open files of this process except the first three, so that the
// script does not get files that the service left open.
func closeOnExec() error {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return nil
	}
	return closeEachOnExec()
}

// closeEachOnExec is closeOnExec for kernels before 5.11.
func closeEachOnExec() error {
	entries, err := os.ReadDir("/proc/self/fd")
	for _, entry := range entries {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return err
}
