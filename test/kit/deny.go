package kit

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is a system call or, with a Mask, those of its calls whose argument Arg (0 to 5) has
// these bits of the mask. Only the low 32 bits of an argument count.
type Call struct {
	Number    uint32
	Arg       uint32
	Mask, Has uint32
}

// Deny makes system calls of this process fail with errno from now on, as the seccomp filter
// of a container does. Call it only in a child process.
//
// https://man7.org/linux/man-pages/man2/seccomp.2.html
func Deny(errno unix.Errno, calls ...Call) error {
	const number, arguments, size = 0, 16, 8 // offsets in struct seccomp_data; the low half of an argument comes first
	var filter []unix.SockFilter
	for _, c := range calls {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: number},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.Number, Jf: 4},
			unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: arguments + size*c.Arg},
			unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: c.Mask},
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: c.Has, Jf: 1},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		)
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	return setFilter(&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// setFilter sets a filter for all threads of this process.
func setFilter(program *unix.SockFprog) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(program)))
	if errno != 0 {
		return errno
	}
	return nil
}
