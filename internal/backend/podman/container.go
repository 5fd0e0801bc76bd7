package podman

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"

	"rolecall/internal/backend"
	"rolecall/internal/workdir"
)

// container is what Build has found out about the container of a job.
type container struct {
	ID     string   `json:"id"`
	Images []string `json:"images"` // ids of those of the job and its services, which stay in the store as long as the job
	UID    uint32   `json:"uid"`    // as which its scripts run, as the container has it
	GID    uint32   `json:"gid"`
	Hold   *hold    `json:"hold,omitempty"` // nil: the job has no services
}

// containerFile is the name of the file that has it. It lies in the Dir of a job, in which
// only the driver's user can write.
const containerFile = "container.json"

// write writes the file.
func (c container) write(dir string) error {
	content, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, containerFile), content, 0o600)
}

// readContainer reads the file.
func readContainer(dir string) (container, error) {
	content, err := os.ReadFile(filepath.Join(dir, containerFile))
	if err != nil {
		return container{}, err
	}
	var c container
	err = json.Unmarshal(content, &c)
	return c, err
}

// probe finds out as which ids a container of an image runs that is not root's: podman reads
// that in the image, for which the container must have been made ready to start. It lies in
// an engine root of its own, and ends with Build.
func (e engine) probe(ctx context.Context, asked backend.Image, i image) (container, error) {
	if err := workdir.Make(e.place.images(), filepath.Join(jobsDir, filepath.Base(e.place.Dir), probeDir), e.as.UID, e.as.GID); err != nil {
		return container{}, err
	}
	args := slices.Concat([]string{"create", "--name", jobName}, e.common(backend.Limits{}), forScripts(), []string{"--network=none"}, start(asked, i, shell()))
	id, err := e.do(ctx, e.place.onJob(probeDir, args...))
	if err != nil {
		return container{}, engineFault("look into the image", err)
	}
	if _, err := e.do(ctx, e.place.onJob(probeDir, "init", jobName)); err != nil {
		return container{}, imageFault("the image cannot run as its user", "look into the image", err, "name a user that the image has, by image:docker:user in .gitlab-ci.yml; its id must be below 65536")
	}
	return readIDs(filepath.Join(e.place.Dir, probeDir), id)
}

// maxConfig bounds the size of the configuration of a container, in bytes.
const maxConfig = 16 << 20

// readIDs reads the ids of a container in its engine root, which belongs to the job's user.
func readIDs(root, id string) (container, error) {
	if !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(id) {
		return container{}, errors.New("podman has created a container without an id")
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return container{}, err
	}
	defer dir.Close()
	f, err := dir.OpenFile(filepath.Join("overlay-containers", id, "userdata", "config.json"), os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return container{}, err
	}
	defer f.Close()
	var config struct {
		Process struct {
			User container `json:"user"`
		} `json:"process"`
	}
	if err := json.NewDecoder(io.LimitReader(f, maxConfig)).Decode(&config); err != nil {
		return container{}, fmt.Errorf("the configuration of a container: %w", err)
	}
	return container{UID: config.Process.User.UID, GID: config.Process.User.GID}, nil
}
