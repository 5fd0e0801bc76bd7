// Command demo runs a pipeline of two tenants on this machine and shows that each job had its
// own tenant's credentials, and that nothing of them is left.
//
// GitLab Runner and the driver are real; package coordinator stands in for GitLab, and package
// cloud for STS and S3. With -sts=minio STS and S3 are a real MinIO. The demo exits with 1 where
// anything is not as it says.
//
// With -image the jobs run in an image from a registry on this machine, in containers of
// podman. That needs root.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"rolecall/test/kit"
)

//go:embed gitlab-ci.yml
var ciYAML string

//go:embed gitlab-ci-image.yml
var imageYAML string

// patience bounds the whole demo.
const patience = 2 * time.Minute

func main() {
	image := flag.Bool("image", false, "run the jobs in an image")
	sts := flag.String("sts", own, "what STS and S3 are: own, the project's own stand-ins, or minio")
	flag.Parse()
	yaml := ciYAML
	if err := checkSTS(*sts); err != nil {
		fail(err)
	}
	if *image {
		unify(*sts)
		yaml = imageYAML
	}
	if err := show(demo{screen: newScreen(os.Stdout), sts: *sts}, yaml); err != nil {
		fmt.Fprintln(os.Stderr)
		fail(err)
	}
}

// fail ends the process.
func fail(err error) {
	fmt.Fprintln(os.Stderr, "demo:", err)
	os.Exit(1)
}

// unify goes on if this is a host on which containers can run, or looks like one. Else it ends
// the process.
func unify(sts string) {
	if os.Geteuid() != 0 {
		fail(errors.New("jobs in containers need root: sudo make demo-image"))
	}
	code, ended, err := kit.Unified("-image", "-sts="+sts)
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		code, ended = 1, true
	}
	if ended {
		os.Exit(code)
	}
}

// demo is one run of the pipeline.
type demo struct {
	screen
	sts   string // which servers are STS and S3
	world *world
	jobs  []*tenantJob
}

// show runs the demo until its end or an interrupt, and then stops and removes everything.
func show(d demo, yaml string) error {
	began := time.Now()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // A second interrupt ends the demo at once.
	// A reader who has seen enough, such as head, is no reason to leave everything behind.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	err := d.run(ctx, yaml)
	if d.world != nil {
		err = d.end(ctx, err)
	}
	if err == nil {
		d.title("All as promised, in %.1f s.", time.Since(began).Seconds())
	}
	return err
}

// run shows everything in turn, with the pipeline that the text of a .gitlab-ci.yml says.
func (d *demo) run(ctx context.Context, yaml string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pipeline, err := parse(yaml)
	if err != nil {
		return err
	}
	if err := d.ready(pipeline); err != nil {
		return err
	}
	where := ""
	if pipeline.image() != "" {
		where = ", each in a container of its own"
	}
	d.line("Two deployments run at once on one runner%s; each gets the AWS credentials of its own tenant\n"+
		"from rolecall, and the database that an earlier job has made for its tenant. It can do nothing with the\n"+
		"other tenant's bucket, and no secret is in a log, in an artifact, or left behind.", where)
	d.title("The pipeline, .gitlab-ci.yml")
	d.block(yaml)
	d.title("Starting, on this machine")
	if d.world, err = d.start(ctx, pipeline, yaml); err != nil {
		return err
	}
	if err := d.runJobs(ctx, pipeline); err != nil {
		return err
	}
	for _, job := range d.jobs {
		d.title("The log of %s", job.name)
		d.log(job.run.Text())
	}
	if err := errors.Join(d.checkJobs(), d.showWho()); err != nil {
		return err
	}
	if err := d.world.stopRunner(false); err != nil {
		return err
	}
	return d.showLeft()
}

// end stops and removes everything. After an interrupt it first lets the runner clean up after
// its jobs, and searches as at the end of the demo.
func (d *demo) end(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return errors.Join(err, d.world.close())
	}
	d.line("\nInterrupted: ending the jobs, removing everything.")
	err = d.world.stopRunner(true)
	if d.world.recorder != nil && len(d.world.recorder.Secrets()) > 0 {
		err = errors.Join(err, d.showLeft())
	} else if len(d.jobs) > 0 {
		err = errors.Join(err, d.checkTraces())
	}
	if err := errors.Join(err, d.world.close()); err != nil {
		return err
	}
	return errors.New("interrupted; everything is stopped and removed")
}
