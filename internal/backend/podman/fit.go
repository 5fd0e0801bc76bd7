package podman

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
)

// CgroupDir is where a host has its cgroups.
const CgroupDir = "/sys/fs/cgroup"

// Programs returns the programs that containers need, and those that services need too, in
// that network.
func Programs(services bool, network string) []string {
	programs := []string{"podman", "crun", "catatonit"}
	if services && network != "none" {
		programs = append(programs, "slirp4netns")
	}
	if services {
		programs = append(programs, "nsenter", "ip")
	}
	return programs
}

// HelperDirs returns the folders in which podman looks for programs that only it starts, such
// as catatonit.
//
// https://github.com/containers/common/blob/v0.50.1/pkg/config/config_linux.go
func HelperDirs() []string {
	return []string{"/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman"}
}

// Install returns the command that installs programs on a Debian.
func Install(programs []string) string {
	packages := []string{"apt-get", "install"}
	for _, name := range programs {
		switch name {
		case "nsenter":
			name = "util-linux"
		case "ip":
			name = "iproute2"
		}
		packages = append(packages, name)
	}
	return strings.Join(packages, " ")
}

// check returns a fault.Admin, with what to do, if this host cannot run the containers of a
// job.
func check(owner *backend.Owner, c backend.Containers) error {
	if owner == nil {
		return fault.New(fault.RootContainer, errors.New("this job has no unix user, and the containers of a job belong to one"),
			"set run_as in the policy file: for the tenant, or at the top for jobs without a tenant")
	}
	missing := slices.DeleteFunc(Programs(len(c.Services) > 0, c.Engine.Network), installed)
	if len(missing) > 0 {
		return fault.New(fault.NoContainers, fmt.Errorf("this host cannot run containers: it lacks %s", strings.Join(missing, ", ")),
			"run on the runner's host\n"+Install(missing))
	}
	return CheckCgroup(CgroupDir)
}

// checkPaths returns an error if podman cannot show a path to the containers of the job. What
// the policy file says was checked when it was read. An author names the folder of a work tree
// by GIT_CLONE_PATH.
func checkPaths(p place) error {
	const what = "containers cannot see a path that has one of the characters %s"
	all, has := strings.Join(strings.Split(backend.Separators, ""), " "), func(path string) bool { return strings.ContainsAny(path, backend.Separators) }
	if has(p.Slot) {
		return fault.New(fault.BadVariable, fmt.Errorf(what, all), "remove them from GIT_CLONE_PATH, which names the folder of the work tree").With("folder", p.Slot)
	}
	for _, path := range []string{p.Own, p.Dir, p.Store, p.Root} {
		if has(path) {
			return fault.New(fault.NoContainers, fmt.Errorf(what, all), "choose another folder in the policy file").With("folder", path)
		}
	}
	return nil
}

// installed reports whether a program is in the PATH or among the helpers of podman.
func installed(name string) bool {
	if _, err := exec.LookPath(name); err == nil {
		return true
	}
	return slices.ContainsFunc(HelperDirs(), func(dir string) bool {
		_, err := exec.LookPath(filepath.Join(dir, name))
		return err == nil
	})
}

// CheckCgroup returns a fault.Admin unless there are cgroups of version 2 at mount, and no
// others: with those of version 1, crun starts no container for a user who is not root.
//
// https://github.com/containers/crun/blob/1.8.1/src/libcrun/cgroup.c
func CheckCgroup(mount string) error {
	var fs unix.Statfs_t
	if err := unix.Statfs(mount, &fs); err != nil {
		return fault.New(fault.NoContainers, fmt.Errorf("this host has no cgroups: %s: %w", mount, err), "mount them\nmount -t cgroup2 cgroup2 "+mount)
	}
	if fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return nil
	}
	return fault.New(fault.NoContainers, errors.New("this host has cgroups of version 1, and containers need version 2 alone"),
		"start the host with the kernel parameter systemd.unified_cgroup_hierarchy=1, such as by\n"+
			`sed -i 's/^GRUB_CMDLINE_LINUX="/&systemd.unified_cgroup_hierarchy=1 /' /etc/default/grub && update-grub && reboot`).With("folder", mount)
}
