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

// has reports whether an option is set, as it is or with a value.
func (m mount) has(option string) bool { return slices.Contains(m.options, option) }

// isTmpfs reports whether a mount keeps its files in memory.
func isTmpfs(m mount) bool { return m.kind == "tmpfs" || m.kind == "ramfs" }

// mountOf returns the mount that path is on, or would be.
//
// https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts
func (s *site) mountOf(path string) mount {
	content, _ := os.ReadFile(filepath.Join(s.Proc, "self/mountinfo"))
	if real, err := filepath.EvalSymlinks(nearest(path)); err == nil {
		path = real + "/" + strings.TrimPrefix(path, nearest(path))
	}
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

// checkKernel checks the settings of the kernel that keep the jobs of a host apart.
func (s *site) checkKernel(context.Context) []Finding {
	const area = "host"
	findings := []Finding{}
	core := s.sysctl("kernel/core_pattern")
	if strings.HasPrefix(core, "|") {
		program, _, _ := strings.Cut(strings.TrimPrefix(core, "|"), " ")
		findings = append(findings, warn(area, "core dumps of scripts, with their environment, go to "+program,
			"set kernel.core_pattern to a file, and LimitCORE=0 in the runner's unit"))
	} else {
		findings = append(findings, ok(area, "core dumps go to no program"))
	}
	if m := s.mountOf(s.Proc); slices.ContainsFunc(m.options, hidesProcesses) {
		findings = append(findings, ok(area, s.Proc+" hides the processes of other users"))
	} else {
		findings = append(findings, warn(area, s.Proc+" shows the command lines of all processes to every user", "mount it with hidepid=2"))
	}
	if value := s.sysctl("fs/protected_symlinks"); value == "1" {
		findings = append(findings, ok(area, "fs.protected_symlinks is on"))
	} else {
		findings = append(findings, warn(area, "fs.protected_symlinks is off: links that others plant in /tmp are followed", "sysctl -w fs.protected_symlinks=1"))
	}
	return findings
}

// hidesProcesses reports whether an option of proc hides the processes of others.
//
// https://docs.kernel.org/filesystems/proc.html#mount-options
func hidesProcesses(option string) bool {
	value, found := strings.CutPrefix(option, "hidepid=")
	return found && value != "0" && value != "off"
}

// sysctl returns a setting of the kernel, or an empty text.
func (s *site) sysctl(name string) string {
	content, _ := os.ReadFile(filepath.Join(s.Proc, "sys", name))
	return strings.TrimSpace(string(content))
}

// checkTemp warns where job responses, which hold every variable of a job, are
// written to a disk.
func (s *site) checkTemp(context.Context) []Finding {
	const area = "runner's TMPDIR"
	if m := s.mountOf(s.Temp); !isTmpfs(m) {
		return []Finding{warn(area, s.Temp+" is on "+orSome(m.kind)+": job responses, with all variables and tokens, lie on a disk",
			"set TMPDIR in the runner's unit to a folder on a tmpfs (doctor reads its own TMPDIR)")}
	}
	return []Finding{ok(area, s.Temp+" is on a tmpfs")}
}
