package check

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/account"
)

// visitor is a user whose way to a server is tried.
type visitor struct {
	name string
	uid  int
}

// visitors returns the users of tenants, where we can act for them, else who we are.
func (s *site) visitors() []visitor {
	var found []visitor
	for _, name := range s.users() {
		if a, err := account.Lookup(name); err == nil && os.Geteuid() == 0 {
			found = append(found, visitor{name, int(a.UID)})
		}
	}
	if found == nil {
		return []visitor{{"who runs doctor", os.Geteuid()}}
	}
	return found
}

// checkMetadata warns where scripts can reach the metadata service of the cloud,
// and with it the role of the host itself.
func (s *site) checkMetadata(ctx context.Context) []Finding {
	const area = "metadata service"
	visitors := s.visitors()
	findings := gather(len(s.Metadata), func(i int) []Finding {
		names := reachedBy(ctx, s.Metadata[i], visitors)
		if names == nil {
			return nil
		}
		return []Finding{warn(area, fmt.Sprintf("%s answers %s: scripts can take the role of this host itself", s.Metadata[i], strings.Join(names, ", ")),
			"block it by the nftables rules of docs/threat-model.md, or give the host no role")}
	})
	if findings == nil {
		return []Finding{ok(area, strings.Join(s.Metadata, ", ")+" do not answer")}
	}
	return findings
}

// reachedBy returns the names of the visitors whom a server takes a connection from.
func reachedBy(ctx context.Context, address string, visitors []visitor) []string {
	reached := make([]bool, len(visitors))
	var all sync.WaitGroup
	for i, v := range visitors {
		all.Go(func() { reached[i] = v.reaches(ctx, address) })
	}
	all.Wait()
	var names []string
	for i, v := range visitors {
		if reached[i] {
			names = append(names, v.name)
		}
	}
	return names
}

// reaches reports whether a server takes a connection from the user. The kernel
// tells a socket's user by the fsuid of the thread that made it, which is what
// nftables' meta skuid looks at. A Dialer makes that of a literal address in the
// goroutine that calls it.
//
// https://man7.org/linux/man-pages/man2/setfsuid.2.html
func (v visitor) reaches(ctx context.Context, address string) bool {
	reached := make(chan bool)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		_, _ = unix.SetfsuidRetUid(v.uid)
		dialer := net.Dialer{Timeout: 300 * time.Millisecond}
		connection, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		reached <- err == nil
	}()
	return <-reached
}
