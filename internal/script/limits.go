package script

import (
	"fmt"
	"strings"
)

// Limits bound the processes of a script. 0 leaves what the driver itself has,
// which no limit exceeds unless the driver may.
type Limits struct {
	OpenFiles    uint64 // of each process
	Processes    uint64 // of the user, in all jobs together
	AddressSpace uint64 // of each process, in KiB
}

// command returns the arguments for bash, at its path, that make it the login
// shell. With limits it is a bash of fixed text that sets them on itself, since
// the driver, a program of many threads, might not survive them, and on a running
// child they would come too late: it reads the user's profile at once.
func (l Limits) command(bash string) []string {
	var text strings.Builder
	for _, limit := range []struct {
		option rune
		value  uint64
	}{{'n', l.OpenFiles}, {'u', l.Processes}, {'v', l.AddressSpace}} {
		if limit.value > 0 {
			fmt.Fprintf(&text, "ulimit -%c %d 2>/dev/null; ", limit.option, limit.value)
		}
	}
	if text.Len() == 0 {
		return []string{"bash", "-l"}
	}
	// -p: no functions or BASH_ENV from the environment.
	return []string{"bash", "-p", "-c", text.String() + `exec -a bash "$0" -l`, bash}
}
