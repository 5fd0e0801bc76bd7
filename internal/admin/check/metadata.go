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

// visitor is a user who tries to reach a server.
type visitor struct {
	name string
	uid  int
}

// visitors returns the users of tenants if this process is root and can act for them,
// else the user of this process.
func (h *host) visitors() []visitor {
	if found := h.tenantVisitors(); found != nil && os.Geteuid() == 0 {
		return found
	}
	return []visitor{{"the user that runs rolecall", os.Geteuid()}}
}

// tenantVisitors returns the users of tenants that exist on this host.
func (h *host) tenantVisitors() []visitor {
	var found []visitor
	for _, name := range h.users() {
		if a, err := account.Lookup(name); err == nil {
			found = append(found, visitor{name, int(a.UID)})
		}
	}
	return found
}

// checkMetadata warns if scripts can reach the metadata service of the cloud, which
// gives them the role of the host itself.
func (h *host) checkMetadata(ctx context.Context) []Finding {
	const area = "metadata service"
	visitors := h.visitors()
	findings := gather(len(h.Metadata), func(i int) []Finding {
		names := reachedBy(ctx, h.Metadata[i], visitors)
		if names == nil {
			return nil
		}
		return []Finding{look(idMetadata, area, fmt.Sprintf("%s answers %s: scripts can take the role of this host itself", h.Metadata[i], strings.Join(names, ", ")),
			"block it with the nftables rules of docs/threat-model.md, or give the host no role")}
	})
	if findings == nil {
		return []Finding{ok(area, strings.Join(h.Metadata, ", ")+" do not answer")}
	}
	return findings
}

// reachedBy returns the names of the visitors who can connect to a server.
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

// visitTime is how long a server has to answer a visitor: a slow host must not look safe.
const visitTime = time.Second

// reaches reports whether the user can connect to a server. A socket belongs to the
// fsuid of the thread that made it, and nftables' meta skuid looks at this id. For a
// literal address, a Dialer makes the socket in the goroutine that calls it.
//
// https://man7.org/linux/man-pages/man2/setfsuid.2.html
func (v visitor) reaches(ctx context.Context, address string) bool {
	reached := make(chan bool)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		_, _ = unix.SetfsuidRetUid(v.uid)
		dialer := net.Dialer{Timeout: visitTime}
		connection, err := dialer.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = connection.Close()
		}
		reached <- err == nil
	}()
	return <-reached
}
