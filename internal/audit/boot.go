package audit

import (
	"os"
	"strings"
)

// bootIDFile has the id of the boot of this host.
//
// https://docs.kernel.org/admin-guide/sysctl/kernel.html#random
const bootIDFile = "/proc/sys/kernel/random/boot_id"

// bootID returns the id of the boot of this host: after a loss of power it is another one.
// Without /proc it is not known.
func bootID() string {
	text, _ := os.ReadFile(bootIDFile)
	return strings.TrimSpace(string(text))
}
