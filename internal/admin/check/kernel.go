package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mount is an entry of /proc/self/mountinfo.
type mount struct {
	point   string
	kind    string   // of file system
	options []string // of the mount and of the file system
}

// has reports whether the mount has an option.
func (m mount) has(option string) bool { return slices.Contains(m.options, option) }

// isTmpfs reports whether a mount keeps its files in memory.
func isTmpfs(m mount) bool { return m.kind == "tmpfs" || m.kind == "ramfs" }

// mountOf returns the mount that path is on, or would be on if it existed.
//
// https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts
func (h *host) mountOf(path string) mount {
	content, _ := os.ReadFile(filepath.Join(h.Proc, "self/mountinfo"))
	there := nearest(path)
	path = resolved(there) + "/" + strings.TrimPrefix(path, there)
	var best mount
	for line := range strings.Lines(string(content)) {
		head, tail, _ := strings.Cut(line, " - ")
		fields, of := strings.Fields(head), strings.Fields(tail)
		if len(fields) < 6 || len(of) < 3 {
			continue
		}
		point := strings.ReplaceAll(fields[4], `\040`, " ")
		if below(path, point) && len(point) >= len(best.point) { // of two at one point the later one is seen
			best = mount{point, of[0], strings.Split(fields[5]+","+of[2], ",")}
		}
	}
	return best
}

// below reports whether path is dir, or in it.
func below(path, dir string) bool {
	return filepath.Clean(path) == dir || strings.HasPrefix(filepath.Clean(path), strings.TrimSuffix(dir, "/")+"/")
}

// checkKernel checks the settings of the kernel that separate the jobs of a host.
func (h *host) checkKernel(context.Context) []Finding {
	return []Finding{h.checkCore(), h.checkProc(), h.checkLinks()}
}

// hostArea is the area of findings about the kernel's settings.
const hostArea = "host"

// checkCore warns if core dumps, which may contain credentials, go to a program.
func (h *host) checkCore() Finding {
	core := h.sysctl("kernel/core_pattern")
	if !strings.HasPrefix(core, "|") {
		return ok(hostArea, "core dumps do not go to a program")
	}
	program, _, _ := strings.Cut(strings.TrimPrefix(core, "|"), " ")
	return look(idCore, hostArea, "core dumps of scripts, with their environment, go to "+program,
		"set kernel.core_pattern to a file, and LimitCORE=0 in the runner's unit")
}

// checkProc warns if users see the processes of others.
func (h *host) checkProc() Finding {
	if m := h.mountOf(h.Proc); slices.ContainsFunc(m.options, hidesProcesses) {
		return ok(hostArea, h.Proc+" hides the processes of other users")
	}
	return look(idProc, hostArea, h.Proc+" shows the command lines of all processes to every user", "mount it with hidepid=2")
}

// checkLinks warns if links that others plant are followed.
func (h *host) checkLinks() Finding {
	if h.sysctl("fs/protected_symlinks") == "1" {
		return ok(hostArea, "fs.protected_symlinks is on")
	}
	return look(idSymlinks, hostArea, "fs.protected_symlinks is off: links that others plant in /tmp are followed", "turn it on, now and at each boot\nsysctl -w fs.protected_symlinks=1\necho fs.protected_symlinks=1 > /etc/sysctl.d/90-links.conf")
}

// hidesProcesses reports whether an option of proc hides the processes of others.
//
// https://docs.kernel.org/filesystems/proc.html#mount-options
func hidesProcesses(option string) bool {
	value, found := strings.CutPrefix(option, "hidepid=")
	return found && value != "0" && value != "off"
}

// sysctl returns a setting of the kernel, or an empty text.
func (h *host) sysctl(name string) string {
	content, _ := os.ReadFile(filepath.Join(h.Proc, "sys", name))
	return strings.TrimSpace(string(content))
}
