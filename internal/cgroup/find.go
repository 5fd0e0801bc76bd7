package cgroup

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// own returns the cgroup that this process is in, of the first of the kinds that
// serves.
func own(kinds ...Kind) (*Parent, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// A thread may be in the group of a job for a moment, see Fork.
	groups, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	unavailable := ErrUnavailable
	for _, kind := range kinds {
		reason := errors.New("is not mounted, or not this process's part of it")
		for _, path := range folders(kind, string(mounts), string(groups)) {
			var d dir
			if d, reason = openDir(path); reason != nil {
				continue
			}
			if reason = usable(d, kind); reason == nil {
				return &Parent{dir: d, own: true}, nil
			}
			d.close()
		}
		unavailable = fmt.Errorf("%w; %s: %w", unavailable, kind, reason)
	}
	return nil, unavailable
}

// folders returns the paths at which the process's own cgroup of a kind can be
// reached. Mounts is /proc/self/mountinfo, proc(5); groups is /proc/self/cgroup,
// cgroups(7).
func folders(kind Kind, mounts, groups string) []string {
	own, ok := membership(kind, groups)
	if !ok {
		return nil
	}
	var paths []string
	for line := range strings.Lines(mounts) {
		before, after, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		mount, system := strings.Split(before, " "), strings.Split(after, " ")
		if len(mount) < 5 || len(system) < 3 || !isMount(kind, system[0], system[2]) {
			continue
		}
		// A container may have a part of the hierarchy only; one in a namespace of
		// cgroups may be outside of what is mounted, and reads "/..".
		root, point := unescape(mount[3]), unescape(mount[4])
		rest, ok := strings.CutPrefix(own+"/", strings.TrimSuffix(root, "/")+"/")
		if ok && !slices.Contains(strings.Split(own, "/"), "..") {
			paths = append(paths, strings.TrimSuffix(point+"/"+rest, "/"))
		}
	}
	return paths
}

// membership returns the path of the process's cgroup in the hierarchy of a kind.
func membership(kind Kind, groups string) (string, bool) {
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(fields) < 3 {
			continue
		}
		if kind == V2 && fields[0] == "0" || kind == V1 && hasFreezer(fields[1]) {
			return strings.TrimSuffix(fields[2], "/"), true
		}
	}
	return "", false
}

// isMount reports whether a mount's type and options are those of a kind.
func isMount(kind Kind, fstype, options string) bool {
	if kind == V2 {
		return fstype == "cgroup2"
	}
	return fstype == "cgroup" && hasFreezer(options)
}

// hasFreezer reports whether the freezer is in a list with commas.
func hasFreezer(list string) bool { return slices.Contains(strings.Split(list, ","), "freezer") }

// unescape undoes the escapes of /proc/self/mountinfo.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// usable returns why no groups with processes can be made in a cgroup, nil if they
// can. The rights are those that a move of a process needs: cgroups(7) and
// "Delegation Containment" in the kernel's cgroup-v2 documentation.
func usable(d dir, kind Kind) error {
	if d.kind != kind {
		return fmt.Errorf("%s is a %s", d.path, d.kind)
	}
	members := "tasks"
	if kind == V2 {
		members = "cgroup.procs"
		if err := canCloneInto(); err != nil {
			return err
		}
	}
	for _, file := range []string{".", members} {
		if err := unix.Faccessat(d.fd, file, unix.W_OK, unix.AT_EACCESS); err != nil {
			return d.errorf(file, err)
		}
	}
	return nil
}

// canCloneInto reports an error where clone3 cannot start a process in a cgroup. It
// asks for a descriptor that is out of range: Linux 5.7 and later find that
// invalid, earlier ones do not know the argument, and a seccomp filter lets
// neither happen. No process starts.
func canCloneInto() error {
	args := [11]uint64{0: unix.CLONE_INTO_CGROUP, 10: 1 << 63}                                              // struct clone_args: flags, cgroup
	_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0) //nolint:gosec // x/sys/unix has no call for it
	if errno == unix.EINVAL {
		return nil
	}
	return fmt.Errorf("CLONE_INTO_CGROUP needs Linux 5.7 and a seccomp filter that lets clone3 pass: %w", errno)
}
