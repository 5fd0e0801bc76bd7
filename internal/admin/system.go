package admin

import (
	"cmp"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// distribution returns the name of the system, as it calls itself.
//
// https://www.freedesktop.org/software/systemd/man/latest/os-release.html
func distribution() string {
	content, _ := os.ReadFile("/etc/os-release") // without it the name is not known
	for line := range strings.Lines(string(content)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return "not known"
}

// kernel returns the release and the version of the kernel.
func kernel() string {
	var name unix.Utsname
	_ = unix.Uname(&name) // every Linux can say it
	return cmp.Or(join(" ", unix.ByteSliceToString(name.Sysname[:]), unix.ByteSliceToString(name.Release[:]), unix.ByteSliceToString(name.Machine[:])), "not known")
}
