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

// own returns the cgroup of this process in the hierarchy of the first kind that is
// usable.
func own(kinds ...Kind) (*Parent, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	// Another thread may be in the group of a job for a moment, see Fork.
	groups, err := os.ReadFile("/proc/thread-self/cgroup")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	unavailable := ErrUnavailable
	for _, kind := range kinds {
		reason := errors.New("is not mounted, or only a part of it without this process's cgroup")
		for _, path := range folders(kind, string(mounts), string(groups)) {
			var d dir
			if d, reason = openDir(path); reason != nil {
				continue
			}
			if reason = checkUsable(d, kind); reason == nil {
				return &Parent{dir: d, own: true}, nil
			}
			d.close()
		}
		unavailable = fmt.Errorf("%w; %s: %w", unavailable, kind, reason)
	}
	return nil, unavailable
}

// folders returns the paths of this process's cgroup in the hierarchy of a kind, one for
// each mount that shows it. Mounts is the text of /proc/self/mountinfo, proc(5); groups
// is the text of /proc/self/cgroup, cgroups(7).
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
		// In a container only a part of the hierarchy may be mounted. In a cgroup
		// namespace, a cgroup outside of the mounted part has a path with "/..".
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

// isMount reports whether a mount with this type and options is a hierarchy of the kind.
func isMount(kind Kind, fstype, options string) bool {
	if kind == V2 {
		return fstype == "cgroup2"
	}
	return fstype == "cgroup" && hasFreezer(options)
}

// hasFreezer reports whether the freezer is in a comma-separated list.
func hasFreezer(list string) bool { return slices.Contains(strings.Split(list, ","), "freezer") }

// unescape decodes the escapes of /proc/self/mountinfo, proc(5).
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// checkUsable fails if this process cannot create groups in d and start processes in
// them. To move a process, it must be able to write to the folder and to the list of
// members: cgroups(7), and "Delegation Containment" in
// https://docs.kernel.org/admin-guide/cgroup-v2.html.
func checkUsable(d dir, kind Kind) error {
	if d.kind != kind {
		return fmt.Errorf("%s is a %s", d.path, d.kind)
	}
	members := "tasks"
	if kind == V2 {
		members = "cgroup.procs"
		if err := checkCloneInto(); err != nil {
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

// checkCloneInto fails if clone3 cannot start a process in a cgroup. It passes a cgroup
// descriptor that is out of range. Linux 5.7 and later then return EINVAL, earlier
// versions E2BIG or ENOSYS since they do not know the argument or the call, and a seccomp filter returns
// another error. No process starts.
func checkCloneInto() error {
	args := [11]uint64{0: unix.CLONE_INTO_CGROUP, 10: 1 << 63}                                              // struct clone_args: flags, cgroup
	_, _, errno := unix.RawSyscall(unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), 0) //nolint:gosec // x/sys/unix has no call for it
	if errno == unix.EINVAL {
		return nil
	}
	return fmt.Errorf("CLONE_INTO_CGROUP needs Linux 5.7 and a seccomp filter that lets clone3 pass: %w", errno)
}
