package selection

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"rolecall/internal/job"
)

// maxSourced bounds how much of the file of GITLAB_ENV is read, in bytes.
const maxSourced = 1 << 20

// Variables are those that the runner's commands see: they expand patterns
// themselves, with the environment of the script that starts them.
type Variables struct {
	project string            // PWD
	temp    string            // RUNNER_TEMP_PROJECT_DIR
	sourced map[string]string // what the job wrote to the file of GITLAB_ENV
	request job.Request
	files   []string // names of those of request whose value is a path in temp
	service []string
}

// Variables returns the variables of a stage's script. Files are the names that
// job.ReadUploads returns, service is the environment that the script starts with.
func (p *Project) Variables(request job.Request, files, service []string) (Variables, error) {
	v := Variables{p.dir, request.TempProjectDir(), map[string]string{}, request, files, service}
	source, err := p.Open(File{Path: filepath.Join(v.temp, "gitlab_runner_env"), Follow: true})
	if err != nil {
		return v, nil //nolint:nilerr // without the file nothing is sourced
	}
	defer source.Close()
	reader := bufio.NewReader(io.LimitReader(source, maxSourced))
	for read := 0; ; {
		line, err := reader.ReadString('\n')
		if read += len(line); read == maxSourced {
			return v, fmt.Errorf("the file of GITLAB_ENV is larger than %d MiB", maxSourced>>20)
		}
		if err != nil {
			return v, nil //nolint:nilerr // as bash's "read", which wants the newline
		}
		v.source(strings.Trim(strings.ReplaceAll(line, "\x00", ""), " \t\n"))
	}
}

// source obeys a line of the file of GITLAB_ENV as "export" does.
func (v *Variables) source(line string) {
	name, value, ok := strings.Cut(line, "=")
	if base, appends := strings.CutSuffix(name, "+"); ok && appends {
		name, value = base, v.get(base)+value
	}
	if ok && name != "" {
		v.sourced[name] = value
	}
}

// get returns the value of a variable, "" if there is none.
func (v *Variables) get(name string) string {
	if name == "PWD" {
		return v.project
	}
	if value, ok := v.sourced[name]; ok {
		return value
	}
	if name == "GITLAB_ENV" {
		return filepath.Join(v.temp, "gitlab_runner_env")
	}
	if value, ok := v.request[name]; ok {
		if slices.Contains(v.files, name) {
			return filepath.Join(v.temp, name)
		}
		return value
	}
	return job.Get(v.service, name)
}
