package podman

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
)

// healthPort is the variable of a service that names the port to wait for.
//
// https://docs.gitlab.com/ci/services/#how-the-health-check-of-services-works
const healthPort = "HEALTHCHECK_TCP_PORT="

// portsOf returns the ports that show that a service is ready: the one that its variable
// names, else those of its image.
func portsOf(s backend.Service, of image) []int {
	for _, entry := range s.Variables {
		if text, ok := strings.CutPrefix(entry, healthPort); ok {
			if port, err := strconv.Atoi(text); err == nil && port > 0 && port < 1<<16 {
				return []int{port}
			}
		}
	}
	return of.ports
}

// joinPorts returns ports as a text.
func joinPorts(ports []int) string {
	var texts []string
	for _, port := range ports {
		texts = append(texts, strconv.Itoa(port))
	}
	return strings.Join(texts, " or ")
}

// listens waits until somebody listens on one of the ports in a network namespace.
func listens(ctx context.Context, net *os.File, ports []int) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, since it is in another namespace
		if err := unix.Setns(int(net.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- poll(ctx, ports)
	}()
	return <-done
}

// poll tries to connect until it succeeds or ctx is done.
func poll(ctx context.Context, ports []int) error {
	for {
		if slices.ContainsFunc(ports, connects) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errNotYet
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// connects reports whether somebody listens on a port of the loopback interface.
func connects(port int) bool {
	v4 := unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	v6 := unix.SockaddrInet6{Port: port, Addr: [16]byte{15: 1}}
	return connect(unix.AF_INET, &v4) == nil || connect(unix.AF_INET6, &v6) == nil
}

// connect connects and closes the connection. On the loopback interface it takes no time.
func connect(family int, to unix.Sockaddr) error {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Connect(fd, to), unix.Close(fd))
}
