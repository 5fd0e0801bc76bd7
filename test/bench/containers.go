package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sys/unix"

	"rolecall/test/kit"
	"rolecall/test/lab"
)

const (
	containerMode   = "-containers" // this program as the part for containers, with its results as JSON
	containerRounds = 12
	outputRounds    = 5
	stagesLimit     = 1.15
	stsLimit        = 1.2
	teardownLimit   = 1.0
	outputLimit     = 1 / 0.9
	containerUser   = "www-data" // of every Debian
)

// containers compares the stages of a job in a container with the same container made by hand.
// It runs in a process of its own, on a host that looks as kit.Unify says.
func (b bencher) containers(ctx context.Context) ([]result, error) {
	why := ""
	if os.Geteuid() != 0 {
		why = "run as root"
	}
	for _, program := range []string{"podman", "crun", lab.RegistryProgram} {
		if _, err := exec.LookPath(program); err != nil {
			why = "install podman, crun, catatonit, docker-registry and busybox-static"
		}
	}
	docker := result{what: "job of echo hi in a container", against: "GitLab Runner's docker executor", note: "not judged: no docker engine is compared here"}
	if why != "" {
		return []result{{what: "stages of a job in a container", against: "podman by hand", note: why}, docker}, nil
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, "/proc/self/exe", containerMode)
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	cmd.Env = append(os.Environ(), "TMPDIR="+b.dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	var rows []containerRow
	if err := json.Unmarshal(out.Bytes(), &rows); err != nil {
		return nil, err
	}
	var results []result
	for _, r := range rows {
		results = append(results, result{what: r.What, against: r.Against, times: r.Times, base: r.Base, limit: r.Limit})
	}
	return append(results, docker), nil
}

// containerRow is a result as the part for containers prints it.
type containerRow struct {
	What, Against string
	Times, Base   sample
	Limit         float64
}

// containerPart is the program in the mode of that part.
func containerPart(ctx context.Context) error {
	code, ended, err := kit.Unified(containerMode)
	if ended || err != nil {
		return errors.Join(err, exitCode(code))
	}
	programs, err := lab.Binaries()
	if err == nil {
		err = ownTemp()
	}
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "rolecall-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // no secret is in it
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	run, err := os.MkdirTemp("/tmp", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(run) //nolint:errcheck // no secret is in it
	c := &containerBench{dir: dir, run: run}
	c.bencher = bencher{programs, dir}
	rows, err := c.measure(ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(rows)
}

// ownTemp gives this process a /tmp of its own, in its own mount namespace: cleanup searches
// all of /tmp, and what others have left there is no part of a job.
func ownTemp() error {
	const temp = "/tmp"
	own, err := os.MkdirTemp("", "tmp")
	if err != nil {
		return err
	}
	return errors.Join(
		os.Chmod(own, 0o777|os.ModeSticky),
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount(own, temp, "", unix.MS_BIND, ""),
		os.Setenv("TMPDIR", temp),
	)
}

// exitCode returns an error for an exit code that is not 0.
func exitCode(code int) error {
	if code == 0 {
		return nil
	}
	return fmt.Errorf("exit code %d", code)
}

// containerBench is a host on which containers are made by the driver and by hand.
type containerBench struct {
	issuer
	dir   string
	run   string // a short path for podman by hand, which takes no long one
	image string // its full name
	flags []string
	told  []string
}

// measure makes the comparisons.
func (c *containerBench) measure(ctx context.Context) ([]containerRow, error) {
	stop, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	echo, print := c.script("echo hi\n"), c.script("yes 0123456789012345678901234567890123456789012345678901234567890123456789012345 | head -c 52428800\n")
	short, err := compare(ctx, containerRounds, c.byHand(echo, whole), c.byDriver("", echo, whole), c.byDriver("alpha", echo, whole))
	if err != nil {
		return nil, err
	}
	end, err := compare(ctx, containerRounds, c.byHand(echo, teardown), c.byDriver("", echo, teardown))
	if err != nil {
		return nil, err
	}
	long, err := compare(ctx, outputRounds, c.byHand(print, running50MB), c.byDriver("alpha", print, running50MB))
	if err != nil {
		return nil, err
	}
	const hand = "podman create, start -a, rm"
	return []containerRow{
		{"stages of a job in a container", hand, short[1], short[0], stagesLimit},
		{"the same with a tenant", hand, short[2], short[0], stsLimit},
		{"cleanup of a job in a container", "podman rm -f", end[1], end[0], teardownLimit},
		{"50 MB from a container, masked", "podman start -a | cat", long[1], long[0], outputLimit},
	}, nil
}

// part says which times of a job count.
type part func(create, run, remove time.Duration) time.Duration

func whole(create, run, remove time.Duration) time.Duration { return create + run + remove }

func teardown(_, _, remove time.Duration) time.Duration { return remove }

func running50MB(_, run, _ time.Duration) time.Duration { return run }

// script writes a script, and returns its path.
func (c *containerBench) script(text string) string {
	path := filepath.Join(c.dir, fmt.Sprintf("script%d", len(text)))
	_ = os.WriteFile(path, []byte(text), 0o600) // a contender fails without it
	return path
}

// hand runs podman as an admin would, with an engine root of its own.
func (c *containerBench) hand(ctx context.Context, stdin string, args ...string) (time.Duration, error) {
	cmd := command(ctx, []string{"HOME=" + c.home, "XDG_RUNTIME_DIR=" + c.run}, "podman",
		append([]string{"--root", c.dir + "/hand", "--runroot", c.run, "--cgroup-manager", "cgroupfs", "--runtime", "crun", "--events-backend", "none"}, args...)...)
	var said strings.Builder
	cmd.Stderr = &said
	if stdin != "" {
		f, err := os.Open(stdin)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	if stdin != "" {
		return throughCat(cmd)
	}
	took, err := timed(cmd)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, said.String())
	}
	return took, nil
}

// throughCat measures a command whose output goes through cat.
func throughCat(cmd *exec.Cmd) (time.Duration, error) {
	cat := exec.Command("cat")
	from, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	cat.Stdin = from
	began := time.Now()
	if err := errors.Join(cat.Start(), cmd.Start()); err != nil {
		return 0, err
	}
	err = errors.Join(cat.Wait(), cmd.Wait())
	return time.Since(began), err
}

// byHand measures a container made by hand.
func (c *containerBench) byHand(script string, counts part) contender {
	return func(ctx context.Context) (time.Duration, error) {
		create, err := c.hand(ctx, "", "create", "--quiet", "--interactive", "--init", "--name", "job", "--network", "host",
			"--cgroups=disabled", "--log-driver=none", "--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024", c.image, "sh")
		if err != nil {
			return 0, err
		}
		run, err := c.hand(ctx, script, "start", "--attach", "--interactive", "job")
		if err != nil {
			return 0, err
		}
		remove, err := c.hand(ctx, "", "rm", "--force", "--time", "0", "job")
		return counts(create, run, remove), err
	}
}

// byDriver measures the stages of a job of a tenant, or of none.
func (c *containerBench) byDriver(tenant, script string, counts part) contender {
	return func(ctx context.Context) (time.Duration, error) {
		env, err := c.newJob(tenant)
		if err != nil {
			return 0, err
		}
		prepare, err := c.stage(ctx, env, c.programs.Prepare)
		if err != nil {
			return 0, err
		}
		run, err := c.stage(ctx, env, c.programs.Run, script, "build_script")
		if err != nil {
			return 0, err
		}
		cleanup, err := c.stage(ctx, env, c.programs.Cleanup)
		return counts(prepare, run, cleanup), err
	}
}

// stage measures a stage, with what it says in its error.
func (c *containerBench) stage(ctx context.Context, env []string, program string, args ...string) (time.Duration, error) {
	cmd := command(ctx, env, program, append(c.flags, args...)...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = nil, &said
	took, err := timed(cmd)
	if err != nil {
		return 0, fmt.Errorf("%w: %s", err, said.String())
	}
	return took, nil
}

// newJob writes the response of a job with an image, and returns the environment of its
// stages.
func (c *containerBench) newJob(tenant string) ([]string, error) {
	c.job++
	token := c.gitlab.SignToken(c.claims())
	response := c.response(token)
	response["image"] = map[string]any{"name": c.image}
	env := []string{
		"HOME=" + c.home, "AWS_REGION=eu-central-1", "AWS_ENDPOINT_URL_STS=" + c.sts.URL(),
		"JOB_RESPONSE_FILE=" + filepath.Join(c.dir, "response.json"), "TMPDIR=" + c.dir,
		"BUILD_EXIT_CODE_FILE=" + filepath.Join(c.dir, "code"), "SYSTEM_FAILURE_EXIT_CODE=2", "BUILD_FAILURE_EXIT_CODE=1",
	}
	folder := "none/unprotected"
	if tenant == "" {
		response["variables"] = []map[string]any{}
	} else {
		folder = tenant + "/protected"
		env = append(env, "CUSTOM_ENV_TENANT="+tenant, "CUSTOM_ENV_GITLAB_OIDC_TOKEN="+token)
	}
	env = append(env, "CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR="+filepath.Join(c.dir, "builds", folder, "r/0/project.tmp"))
	content, err := json.Marshal(response)
	if err == nil {
		err = os.WriteFile(filepath.Join(c.dir, "response.json"), content, 0o600)
	}
	return append(env, c.told...), err
}

// push makes an image for both, in a registry and in the engine root of podman by hand.
func (c *containerBench) push(ctx context.Context, registry *lab.Registry) error {
	files, err := lab.BusyboxFiles()
	if err != nil {
		return err
	}
	image, err := lab.NewImage(v1.Config{}, files...)
	if err != nil {
		return err
	}
	c.image = registry.Name("ci/tool:1")
	if _, err := registry.Push(ctx, "ci/tool:1", image); err != nil {
		return err
	}
	_, err = c.hand(ctx, "", "pull", "--quiet", "--tls-verify=false", c.image)
	return err
}
