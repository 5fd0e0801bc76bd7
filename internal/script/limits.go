package script

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits bound the processes of a script, by setrlimit(2). 0 keeps the driver's own
// limit. A higher limit than the driver's own needs CAP_SYS_RESOURCE.
type Limits struct {
	OpenFiles    uint64 // of each process
	Processes    uint64 // of the user, in all jobs together
	AddressSpace uint64 // of each process, in KiB
}

// command returns the arguments that start the program at path bash as a login shell.
// With limits, a first bash sets them on itself by a fixed text and then becomes the
// login shell. The driver cannot set them on itself, since its threads might exceed
// them; and it would be too late to set them on the login shell, which reads the user's
// profile at once.
func (l Limits) command(bash string) []string {
	text := l.text()
	if text == "" {
		return []string{"bash", "-l"}
	}
	// -p: bash ignores BASH_ENV and functions in the environment.
	return []string{"bash", "-p", "-c", text + `exec -a bash "$0" -l`, bash}
}

// inherited returns the limits that are left for the script to set on itself. The limit
// on processes is set on this process, for the script to inherit it: that spares the first
// bash. This process must be root's, which has as many processes as it wants. A limit that
// is lower already stays.
func (l Limits) inherited() Limits {
	var now unix.Rlimit
	if l.Processes == 0 || unix.Getrlimit(unix.RLIMIT_NPROC, &now) != nil {
		return l
	}
	if l.Processes > now.Max || unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: l.Processes, Max: l.Processes}) == nil {
		l.Processes = 0
	}
	return l
}

// text returns the commands of bash that set the limits, and "" if there are none.
func (l Limits) text() string {
	var text strings.Builder
	for _, limit := range []struct {
		option rune
		value  uint64
	}{{'n', l.OpenFiles}, {'u', l.Processes}, {'v', l.AddressSpace}} {
		if limit.value > 0 {
			fmt.Fprintf(&text, "ulimit -%c %d 2>/dev/null; ", limit.option, limit.value)
		}
	}
	return text.String()
}
