package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// BrokerOptions say how to start a broker.
type BrokerOptions struct {
	Dir    string   // an empty folder for its keys and output
	Policy string   // path of the policy file, which names the audit log
	Listen []string // URLs where it answers jobs; none: a free loopback address
	Env    []string // of the service
}

// Broker is a running rolecall-broker.
type Broker struct {
	URL    string // its first one
	Status string // URL of /readyz

	service *service
}

// StartBroker starts a broker, and waits until it is ready. It ends with ctx or Close.
func StartBroker(ctx context.Context, opts BrokerOptions) (*Broker, error) {
	programs, err := Find("rolecall-broker")
	if err != nil {
		return nil, err
	}
	free, err := freeAddress()
	if err != nil {
		return nil, err
	}
	status, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if len(opts.Listen) == 0 {
		opts.Listen = []string{"http://" + free}
	}
	b := &Broker{URL: opts.Listen[0], Status: "http://" + status}
	cmd := exec.Command(programs.Broker, "--config", opts.Policy, "--status", status, "--state", filepath.Join(opts.Dir, "keys"))
	for _, address := range opts.Listen {
		cmd.Args = append(cmd.Args, "--listen", address)
	}
	cmd.Dir, cmd.Env = opts.Dir, environment(opts.Dir, opts.Dir, opts.Env)
	if b.service, err = startService(ctx, cmd, filepath.Join(opts.Dir, "broker.log")); err != nil {
		return nil, err
	}
	if err := b.waitReady(ctx); err != nil {
		b.Close()
		return nil, b.service.fail(err)
	}
	return b, nil
}

// waitReady waits until the broker says that it is ready.
func (b *Broker) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		if _, err := b.Ask(ctx, "/readyz"); err == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-b.service.exited:
			return fmt.Errorf("it ended while starting: %w", b.service.err)
		case <-ctx.Done():
			return fmt.Errorf("it is not ready: %w", ctx.Err())
		}
	}
}

// Ask returns what the broker says of itself at a path, such as /metrics.
func (b *Broker) Ask(ctx context.Context, path string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.Status+path, nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(response.Body)
	if response.StatusCode != http.StatusOK {
		err = errors.Join(err, errors.New(response.Status))
	}
	return string(text), errors.Join(err, response.Body.Close())
}

// PID returns the process id of the broker.
func (b *Broker) PID() int { return b.service.cmd.Process.Pid }

// Log returns the output of the broker.
func (b *Broker) Log() string { return b.service.log() }

// Stop ends the broker as systemd does, and waits for its end.
func (b *Broker) Stop(ctx context.Context) error {
	if err := b.service.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-b.service.exited:
		return b.service.err
	case <-ctx.Done():
		return b.service.fail(fmt.Errorf("still running: %w", ctx.Err()))
	}
}

// Close kills the broker.
func (b *Broker) Close() { b.service.kill() }
