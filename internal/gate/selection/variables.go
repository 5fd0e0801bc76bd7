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

// maxSourced bounds how many bytes of the file of GITLAB_ENV are read.
const maxSourced = 1 << 20

// Variables are the variables with which the runner's commands expand patterns: the
// environment of the script that starts these commands.
type Variables struct {
	project string            // PWD
	temp    string            // RUNNER_TEMP_PROJECT_DIR
	sourced map[string]string // set by the job in the file of GITLAB_ENV
	request job.Request
	files   []string // names of request's variables whose value is a path in temp
	service []string
}

// Variables returns the variables of a stage's script. Files are the Files of
// job.Uploads. Service is the environment in which the script starts.
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
			return v, nil //nolint:nilerr // the runner's script ignores a last line without newline, as bash's "read" does
		}
		v.export(strings.Trim(strings.ReplaceAll(line, "\x00", ""), " \t\n"))
	}
}

// export sets the variable in a line of the file of GITLAB_ENV, as bash's "export" does.
func (v *Variables) export(line string) {
	name, value, ok := strings.Cut(line, "=")
	if base, appends := strings.CutSuffix(name, "+"); ok && appends {
		name, value = base, v.get(base)+value
	}
	if ok && name != "" {
		v.sourced[name] = value
	}
}

// get returns the value of a variable, and "" if there is none.
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
