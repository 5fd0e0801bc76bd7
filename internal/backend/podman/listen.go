package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
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
	return inNetwork(net, func() error { return poll(ctx, ports) })
}

// inNetwork calls do in a thread that is in a network namespace.
func inNetwork(net *os.File, do func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the thread ends with the goroutine, since it is in another namespace
		if err := unix.Setns(int(net.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		done <- do()
	}()
	return <-done
}

// Network calls do in a thread that is in the network of the job's containers.
func (b *Backend) Network(data json.RawMessage, do func() error) error {
	e, err := b.newEngine(data)
	if err != nil {
		return err
	}
	c, err := readContainer(e.place.Dir)
	if err != nil {
		return fmt.Errorf("the container of the job: %w", err)
	}
	if c.Hold == nil {
		return do()
	}
	e, leave, err := e.within(c.Hold)
	if err != nil {
		return fault.New(fault.Engine, err, "")
	}
	defer leave()
	return inNetwork(e.joined[len(e.joined)-1], do)
}

// Users returns the users whose processes the job's scripts may have: the job's own, and the
// ids of its containers.
func (b *Backend) Users(data json.RawMessage) ([]backend.Users, error) {
	e, err := b.newEngine(data)
	if err != nil {
		return nil, err
	}
	users, err := b.Backend.Users(data)
	return append(users, backend.Users{First: e.place.IDs.First, Count: e.place.IDs.Count}), err
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
