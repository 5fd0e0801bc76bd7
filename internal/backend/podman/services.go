package podman

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/job"
)

// serve starts the services of a job, in namespaces that they share with it, and waits until
// they listen. It returns an engine that runs in these namespaces, and how to close them.
func (e engine) serve(ctx context.Context, id job.ID, o backend.Order, images []image) (engine, *hold, func(), error) {
	long, err := e.lasting(id)
	if err != nil {
		return e, nil, nil, err
	}
	h, err := long.newHold(ctx)
	if err != nil {
		return e, nil, nil, err
	}
	inside, leave, err := long.within(h)
	if err != nil {
		return e, nil, nil, err
	}
	e.joined = inside.joined
	err = inside.connect(ctx)
	for i, s := range o.Containers.Services {
		if err == nil {
			err = inside.startService(ctx, i, s, images[i], o.Containers.Services)
		}
	}
	if err != nil {
		leave()
		return e, nil, nil, err
	}
	inside.await(ctx, o, images)
	return e, h, leave, nil
}

// serviceName returns the name of the container of a service.
func serviceName(i int) string { return "service" + strconv.Itoa(i) }

// startService creates and starts the container of a service. What it prints goes to a file
// of the job.
func (e engine) startService(ctx context.Context, i int, s backend.Service, of image, all []backend.Service) error {
	variables, err := newVariables(s)
	if err != nil {
		return err
	}
	defer variables.Close()
	args := slices.Concat([]string{"run", "--detach", "--name", serviceName(i), "--env-file=/proc/self/fd/3"},
		e.common(e.limits), network(e.place, all, true),
		[]string{"--log-driver=k8s-file", "--log-opt=max-size=1mb", "--log-opt=path=" + e.place.logOf(i)},
		start(s.Image, of, s.Command))
	if _, err := e.do(ctx, e.place.onJob(rootDir, args...), variables); err != nil {
		return imageFault("a service cannot be started", "start a service", err, "correct the service in .gitlab-ci.yml: its command, entrypoint or user").With("service", s.Name)
	}
	return nil
}

// newVariables returns a file in memory that has the variables of a service in the form of
// podman, which knows no line breaks.
func newVariables(s backend.Service) (*os.File, error) {
	for _, entry := range s.Variables {
		if strings.ContainsAny(entry, "\n\x00") {
			name, _, _ := strings.Cut(entry, "=")
			return nil, fault.New(fault.BadVariable, fmt.Errorf("the variable %s of a service has a line break", name),
				"remove the line break: a service here cannot get it").With("service", s.Name)
		}
	}
	return newMemory("variables", []byte(strings.Join(s.Variables, "\n")+"\n"))
}

// logOf returns the path of the log of a service.
func (p place) logOf(i int) string { return filepath.Join(p.Dir, tempDir, serviceName(i)+".log") }

// hostNetwork is the network of a container that has none of its own.
const hostNetwork = "host"

// network returns the arguments for the network of a container: what the job is alone with,
// or what is shared with its services, each of which has its aliases, and with its endpoint.
func network(p place, services []backend.Service, shared bool) []string {
	if !shared {
		return []string{"--network=" + p.Network}
	}
	args := []string{"--network=" + hostNetwork} // that of the process, which is the job's own
	if p.Network != "none" {
		args = append(args, "--dns=10.0.2.3") // of slirp4netns
	}
	for _, s := range services {
		for _, alias := range s.Aliases {
			args = append(args, "--add-host="+alias+":127.0.0.1")
		}
	}
	return args
}

// connect connects the network of the job with that of the host, by a program in user mode
// that outlives this one. Addresses of the host itself cannot be reached through it.
func (e engine) connect(ctx context.Context) error {
	if e.place.Network == "none" {
		return nil
	}
	const begin = `slirp4netns --configure --mtu=65520 --disable-host-loopback --netns-type=path /proc/self/fd/3 tap0 </dev/null >/dev/null 2>&1 &
for i in 1 2 3 4 5 6 7 8 9 10; do nsenter --net=/proc/self/fd/3 ip -o -4 addr show tap0 2>/dev/null | grep -q inet && exit 0; sleep 0.$i; done
kill -0 $! 2>/dev/null && echo "it is not ready in time" >&2 || echo "it has ended at once" >&2; exit 1`
	net := e.joined[2]
	e.joined = e.joined[:2] // the program itself stays in the network of the host
	if _, err := e.tool(ctx, []string{"sh", "-c", begin}, net); err != nil {
		return fault.New(fault.NoContainers, fmt.Errorf("the network of a job with services cannot be connected: %w", err),
			"install slirp4netns, and open /dev/net/tun to all users\napt-get install slirp4netns\nchmod 0666 /dev/net/tun")
	}
	return nil
}

// logLines is how many lines of the log of a service are shown.
const logLines = 50

// tail returns the last lines of a log in the form of Kubernetes, without its marks. The file
// belongs to the job's user.
func tail(path string, lines int) string {
	dir, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err.Error()
	}
	defer dir.Close()
	f, err := dir.OpenFile(filepath.Base(path), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	content, _ := io.ReadAll(io.LimitReader(f, 4<<20))
	all := bytes.Split(bytes.TrimSpace(content), []byte("\n"))
	var text []string
	for _, line := range all[max(0, len(all)-lines):] {
		fields := bytes.SplitN(line, []byte(" "), 4) // time, stream, whole or part
		text = append(text, "  "+string(fields[len(fields)-1]))
	}
	return strings.Join(text, "\n")
}

// errNotYet says that nothing listens yet.
var errNotYet = errors.New("not in time")
