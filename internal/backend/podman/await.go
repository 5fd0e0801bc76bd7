package podman

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"rolecall/internal/backend"
)

// await waits until the services listen. One that does not in time, or that has ended, is a
// warning, as on GitLab's docker executor, with the end of its log.
func (e engine) await(ctx context.Context, o backend.Order, images []image) {
	warnOfPorts(o, images)
	soon, cancel := context.WithTimeout(ctx, o.Containers.Engine.WaitForServices)
	defer cancel()
	silent := map[int]bool{}
	for i, s := range o.Containers.Services {
		ports := portsOf(s, images[i])
		if len(ports) == 0 {
			continue
		}
		if err := listens(soon, e.joined[2], ports); err != nil {
			silent[i] = true
			e.warnOf(o, i, fmt.Sprintf("does not listen on port %s: %v", joinPorts(ports), err))
		}
	}
	for i, code := range e.ended(ctx) {
		if i < len(o.Containers.Services) && !silent[i] {
			e.warnOf(o, i, "has ended with "+code)
		}
	}
}

// warnOf warns of a service, with the end of its log.
func (e engine) warnOf(o backend.Order, i int, what string) {
	o.Warn(fmt.Sprintf("service %s %s; its log ends with:\n%s", o.Containers.Services[i].Name, what, tail(e.place.logOf(i), logLines)))
}

// ended returns the exit codes of the services that have ended, by their numbers.
func (e engine) ended(ctx context.Context) map[int]string {
	answer, err := e.do(ctx, e.place.onJob(rootDir, "ps", "--all", "--filter=status=exited", "--format={{.Names}} {{.ExitCode}}"))
	codes := map[int]string{}
	for line := range strings.Lines(answer) {
		var i int
		var code string
		if n, _ := fmt.Sscanf(line, "service%d %s", &i, &code); err == nil && n == 2 {
			codes[i] = code
		}
	}
	return codes
}

// warnOfPorts warns of services that want the same port: all of a job share one network.
func warnOfPorts(o backend.Order, images []image) {
	for i, s := range o.Containers.Services {
		for j, before := range o.Containers.Services[:i] {
			port := slices.IndexFunc(portsOf(s, images[i]), func(port int) bool { return slices.Contains(portsOf(before, images[j]), port) })
			if port >= 0 {
				o.Warn(fmt.Sprintf("the services %s and %s both want port %d: all services of a job share one network, so only one can have it",
					before.Name, s.Name, portsOf(s, images[i])[port]))
			}
		}
	}
}
