package podman

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/internal/script"
)

// judge says how a script ended. Began reports whether a shell has read it; the container was
// started at start or later. Podman has exit codes of its own that a script can have too, and
// ends in one way or another if the container's monitor dies: then podman is asked.
func (e engine) judge(ctx context.Context, ended script.Result, began bool, start time.Time) (backend.Result, error) {
	result := backend.Result{Code: ended.Code, Left: ended.Left}
	switch {
	case ctx.Err() != nil:
		return result, nil
	case ended.Signaled:
		return backend.Result{}, fault.New(fault.Engine, errors.New("podman was killed before the script ended"), "")
	case began && (ended.Code < 125 || 128 < ended.Code && ended.Code < 255):
		return result, nil
	}
	if err := e.confirm(ended.Code, start); err != nil {
		return backend.Result{}, err
	}
	if !began {
		return backend.Result{}, e.notRead(ended.Code)
	}
	return result, nil
}

// notRead is the error of a container that has ended before a shell read the script.
func (e engine) notRead(code int) error {
	made, err := readContainer(e.place.Dir)
	if err != nil {
		return noShell(code)
	}
	if is, err := readIDs(filepath.Join(e.place.Dir, rootDir), made.ID); err == nil && is.UID != made.UID {
		return fault.New(fault.ImageFails, fmt.Errorf("in the /etc/passwd of the image, its user root has the id %d", is.UID),
			"build the image with a root whose id is 0, or choose the user 0 by image:docker:user in .gitlab-ci.yml, if the runner's admin allows it")
	}
	return noShell(code)
}

// noShell is the error of an image whose container ended before a shell read the script.
func noShell(code int) error {
	return fault.New(fault.ImageFails, fmt.Errorf("the container ended with %d before a shell read the script", code),
		`set entrypoint: [""] of the image in .gitlab-ci.yml; if it is set, the image must have sh, in its PATH`)
}

// confirmTime bounds how long podman may take to say how a container ended.
const confirmTime = 10 * time.Second

// confirm returns an error unless podman says that the container was started since then, and
// ended with the code.
func (e engine) confirm(code int, start time.Time) error {
	ctx, cancel := context.WithTimeout(context.Background(), confirmTime)
	defer cancel()
	answer, err := e.outside().do(ctx, e.place.onJob(rootDir, "inspect", "--format", "{{.State.Status}} {{.State.ExitCode}} {{.State.StartedAt.Unix}}", jobName))
	var status string
	var its int
	var started int64
	if _, scanErr := fmt.Sscan(answer, &status, &its, &started); err == nil {
		err = scanErr
	}
	switch {
	case err != nil:
	case started < start.Unix():
		return fault.New(fault.Engine, errors.New("podman did not start the container of the job"),
			"look at what podman says above: the image has something odd at /etc, /proc or a path of the job, or the host lacks room or memory").
			Detail("podman", fmt.Sprintf("it ended with %d, and the container is %s", code, status))
	case status != "exited" || its != code:
		err = fmt.Errorf("podman ended with %d, and the container is %s with %d", code, status, its)
	default:
		return nil
	}
	return fault.New(fault.Engine, errors.New("the container engine ended before the script"), "").Detail("why", err.Error())
}

// cutShort is the error of a script that cannot start since the program that ran the one before it
// was killed. podman takes the container for one that still runs.
func cutShort(err error) error {
	return fault.New(fault.Engine, short{"rolecall was killed while it ran the script before this one, and the container ended with it", err},
		"see what has killed the program run on the runner's host, such as the kernel for want of memory\ndmesg | grep -i 'killed process'").Detail("why", err.Error())
}
