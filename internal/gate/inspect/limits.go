package inspect

import (
	"fmt"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
)

// restrain sets the limits of the job's processes on this process and on all that it
// starts. 0 and what is above this process's own limit change nothing.
func restrain(l backend.Limits) error {
	for resource, most := range map[int]uint64{
		unix.RLIMIT_NOFILE: l.OpenFiles, unix.RLIMIT_NPROC: l.Processes, unix.RLIMIT_AS: l.Memory,
	} {
		if err := lower(resource, most); err != nil {
			return err
		}
	}
	return nil
}

// lower sets one limit, by setrlimit(2), unless it is 0 or higher than the limit is.
func lower(resource int, most uint64) error {
	var now unix.Rlimit
	if err := unix.Getrlimit(resource, &now); err != nil {
		return fmt.Errorf("limit %d of this process: %w", resource, err)
	}
	if most == 0 || most > now.Max {
		return nil
	}
	if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: most, Max: most}); err != nil {
		return fmt.Errorf("limit %d of this process: %w", resource, err)
	}
	return nil
}
