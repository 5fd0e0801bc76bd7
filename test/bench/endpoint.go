package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/creds"
	"rolecall/internal/creds/clear"
	"rolecall/internal/endpoint"
	"rolecall/internal/endpoint/peer"
	"rolecall/internal/job"
	"rolecall/internal/mask"
	"rolecall/test/coordinator"
	"rolecall/test/fakests"
	"rolecall/test/lab"
)

const (
	askRounds    = 300
	askLimit     = 1.5
	lookupLimit  = 0.1
	toolLimit    = 0.5
	unusedLimit  = 1.03
	unusedRounds = 60
	policyToken  = "glrt-policy0001"
)

// endpoint measures what it costs to get credentials from an endpoint, and what one costs
// that nobody asks.
func (b bencher) endpoint(ctx context.Context) ([]result, error) {
	results, err := b.asked(ctx)
	if err != nil {
		return nil, err
	}
	unused, err := b.unused(ctx)
	return append(results, unused), err
}

// served is a running program endpoint.
type served struct {
	bencher
	socket *endpoint.Socket
	cmd    *exec.Cmd
	in     io.WriteCloser
	url    string
}

// token is what the endpoint wants.
const token = "0123456789abcdefghijklmnopqrstuv"

// serve starts the program endpoint.
func (b bencher) serve() (*served, error) {
	socket, err := endpoint.Listen()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(b.programs.Endpoint)
	cmd.ExtraFiles, cmd.Stderr = []*os.File{socket.Listener, socket.Sockets}, os.Stderr
	in, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(err, socket.Close())
	}
	c := creds.Credential{Provider: "aws", Name: "audit", Expires: time.Now().Add(time.Hour), Served: &creds.Served{
		Answer: mask.NewSecret(`{"AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"x","Token":"` + strings.Repeat("y", 500) + `","Expiration":"2031-01-01T00:00:00Z"}`), Since: time.Now(),
	}}
	line, err := endpoint.Encode(endpoint.Order{
		Token: token, Users: []backend.Users{{First: uint32(os.Geteuid()), Count: 1}},
		IDToken: "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2dpdGxhYi5leGFtcGxlLmNvbSIsInN1YiI6InMiLCJhdWQiOiJhIiwiZXhwIjo0MTAyNDQ0ODAwfQ.c2ln",
		Sources: []endpoint.Source{{Order: creds.Order{Provider: "aws", Name: "audit"}, Credential: clear.Reveal(c)}},
	})
	if err == nil {
		_, err = in.Write(line)
	}
	return &served{b, socket, cmd, in, fmt.Sprintf("http://127.0.0.1:%d", socket.Port)}, err
}

// close ends the program.
func (s *served) close() error { return errors.Join(s.in.Close(), s.cmd.Wait(), s.socket.Close()) }

// asked compares answers of the endpoint.
func (b bencher) asked(ctx context.Context) (results []result, err error) {
	s, err := b.serve()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	bare, stop, err := startBare(ctx, strings.Repeat("y", 600))
	if err != nil {
		return nil, err
	}
	defer stop()
	samples, err := compare(ctx, askRounds, get(s.url+"/aws/audit"), get(bare+"/aws/audit"), s.lookup)
	if err != nil {
		return nil, err
	}
	tools, err := compare(ctx, askRounds, s.credential, s.curl)
	if err != nil {
		return nil, err
	}
	return []result{
		{what: "answer of an endpoint", times: samples[0], against: "net/http, the same bytes", base: samples[1], limit: askLimit},
		{what: "whose a connection is", times: samples[2], against: "answer of an endpoint", base: samples[0], limit: lookupLimit},
		{what: "credential audit", times: tools[0], against: "curl of the endpoint", base: tools[1], limit: toolLimit},
	}, nil
}

// get asks a server, by a connection of its own.
func get(url string) contender {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return func(ctx context.Context) (time.Duration, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return 0, err
		}
		request.Header.Set("Authorization", token)
		begin := time.Now()
		answer, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, answer.Body)
		took := time.Since(begin)
		if answer.StatusCode != http.StatusOK {
			err = fmt.Errorf("%s answers %s", url, answer.Status)
		}
		return took, errors.Join(err, answer.Body.Close())
	}
}

// lookup finds out whose a connection is.
func (s *served) lookup(context.Context) (time.Duration, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	sockets, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return 0, err
	}
	defer func() { _ = unix.Close(sockets) }()
	by, err := peer.New(sockets)
	if err != nil {
		return 0, err
	}
	client, server := netip.MustParseAddrPort(conn.LocalAddr().String()), netip.MustParseAddrPort(conn.RemoteAddr().String())
	begin := time.Now()
	_, err = by.UID(client, server)
	return time.Since(begin), err
}

// credential asks by the program credential.
func (s *served) credential(ctx context.Context) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, s.programs.Credential, "audit")
	cmd.Env = []string{job.EndpointVariable + "=" + s.url, job.EndpointTokenVariable + "=" + token}
	return answered(cmd)
}

// curl asks by curl.
func (s *served) curl(ctx context.Context) (time.Duration, error) {
	return answered(exec.CommandContext(ctx, "curl", "-sf", "-H", "Authorization: "+token, s.url+"/aws/audit"))
}

// answered runs a program that prints the credential.
func answered(cmd *exec.Cmd) (time.Duration, error) {
	begin := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(begin)
	if err == nil && !strings.Contains(string(out), "ASIAIOSFODNN7EXAMPLE") {
		err = fmt.Errorf("%s: %s", cmd.Path, out)
	}
	return took, err
}

// unused compares jobs that do not ask their endpoint with jobs that have variables.
func (b bencher) unused(ctx context.Context) (result, error) {
	gitlab, err := coordinator.Start()
	if err != nil {
		return result{}, err
	}
	defer gitlab.Close()
	sts, err := fakests.Start()
	if err != nil {
		return result{}, err
	}
	defer sts.Close()
	runner, err := b.policyRunner(gitlab, sts)
	if err != nil {
		return result{}, err
	}
	of := func(tenant string) contender {
		return running(gitlab, policyToken, coordinator.Job{
			Script: echo(), Protected: true, Project: coordinator.Project{ID: 42, Path: "acme/deploy"},
			IDTokens:  map[string]string{"GITLAB_OIDC_TOKEN": audience},
			Variables: []coordinator.Variable{{Key: "TENANT", Value: tenant}},
		})
	}
	samples, err := compare(ctx, unusedRounds, of("served"), of("plain"))
	if err := errors.Join(err, stop(runner)); err != nil {
		return result{}, err
	}
	return result{what: "job of echo hi with an endpoint", times: samples[0], against: "the same job, with variables", base: samples[1], limit: unusedLimit}, nil
}

// policyRunner starts a runner with two tenants that differ in delivery alone.
func (b bencher) policyRunner(gitlab *coordinator.Server, sts *fakests.Server) (*lab.RunnerService, error) {
	dir := filepath.Join(b.dir, "policy")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	text := fmt.Sprintf("run_as_root = \"unsafe\"\nshared_user = \"unsafe\"\n[gitlab]\nissuer = %q\n[defaults]\nrole_arn = %q\naudience = %q\nprojects = [\"acme/*\"]\nprotected = true\n[[tenant]]\nname = \"plain\"\n[[tenant]]\nname = \"served\"\ndelivery = \"endpoint\"\n",
		gitlab.Issuer(), role, audience)
	policy := filepath.Join(dir, "rolecall.toml")
	if err := os.WriteFile(policy, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return lab.StartRunner(context.Background(), lab.RunnerOptions{
		Dir: dir, Coordinator: gitlab.URL(),
		Runners: []lab.Runner{{Name: "policy", Token: policyToken, Args: []string{"--config", policy}}},
		Env:     []string{"AWS_ENDPOINT_URL_STS=" + sts.URL(), "AWS_REGION=eu-central-1"},
	})
}
