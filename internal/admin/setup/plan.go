package setup

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rolecall/internal/adminfile"
)

// Place is where the files of a host are.
type Place struct {
	Policy       string // the policy file
	RunnerConfig string // GitLab Runner's config.toml
	DropIn       string // of the runner's service; empty: none
	Shipped      string // the drop-in that is installed with rolecall
	State        string // the folder of builds, caches and the audit log
}

// Here is the place of a host that is installed by a package.
func Here() Place {
	return Place{
		Policy:       "/etc/rolecall/rolecall.toml",
		RunnerConfig: "/etc/gitlab-runner/config.toml",
		DropIn:       "/etc/systemd/system/gitlab-runner.service.d/rolecall.conf",
		Shipped:      "/usr/share/rolecall/gitlab-runner.conf",
		State:        "/var/lib/rolecall",
	}
}

// Template returns where the template for gitlab-runner register is, of a runner that has no
// token yet.
func (p Place) Template() string { return filepath.Join(filepath.Dir(p.Policy), "runner.toml") }

// Check fails if a path of the place cannot be one.
func (p Place) Check() error {
	for _, path := range []struct{ of, name string }{{"config", p.Policy}, {"runner-config", p.RunnerConfig}, {"state", p.State}, {"drop-in", cmp.Or(p.DropIn, "/")}} {
		if !filepath.IsAbs(path.name) || strings.ContainsFunc(path.name, unprintable) {
			return fmt.Errorf("--%s is %.80q: want an absolute path that can be printed", path.of, path.name)
		}
	}
	return nil
}

// maxFile bounds the size of a file that is read, in bytes.
const maxFile = 1 << 20

// File is a file that is written.
type File struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
	old     []byte // what is there now, and is the beginning of Content; nil: nothing is
}

// Plan is what is written, and what an admin must know of it.
type Plan struct {
	Files  []File
	Advice []string
}

// Plan returns what is to be written for the answers. It writes nothing. A file that exists
// is an error, unless it is what would be written; a config.toml gets its runner at its end.
func (p Place) Plan(a Answers) (Plan, error) {
	if err := a.Check(); err != nil {
		return Plan{}, err
	}
	var plan Plan
	policy, err := a.Policy(p.State)
	if err != nil {
		return plan, err
	}
	plan.Files = append(plan.Files, File{Path: p.Policy, Mode: 0o644, Content: policy})
	if err := errors.Join(p.planRunner(a, &plan), p.planDropIn(&plan)); err != nil {
		return plan, err
	}
	return plan, plan.fresh()
}

// planRunner plans the runner: at the end of config.toml, or as a template.
func (p Place) planRunner(a Answers, plan *Plan) error {
	old, err := adminfile.Read(p.RunnerConfig, maxFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	path := p.RunnerConfig
	if old != nil {
		if path, err = filepath.EvalSymlinks(path); err != nil { // a link stays one; Read has looked at it
			return err
		}
	}
	content, advice, err := a.addRunner(old)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if advice != "" {
		plan.Advice = append(plan.Advice, path+": "+advice)
	}
	return p.planFiles(a, plan, File{Path: path, Mode: 0o600, Content: content, old: old})
}

// planFiles plans config.toml, and the template of a runner without a token: gitlab-runner register
// adds that runner to a config.toml, and sets nothing else there.
func (p Place) planFiles(a Answers, plan *Plan, config File) error {
	if a.Token != "" || len(config.old) == 0 {
		plan.Files = append(plan.Files, config)
	}
	if a.Token != "" {
		return nil
	}
	block, err := a.runnerBlock()
	plan.Files = append(plan.Files, File{Path: p.Template(), Mode: 0o644, Content: block})
	return err
}

// planDropIn plans the drop-in of the runner's service.
func (p Place) planDropIn(plan *Plan) error {
	if p.DropIn == "" {
		return nil
	}
	content, err := adminfile.Read(p.Shipped, maxFile)
	if err != nil {
		return fmt.Errorf("the drop-in of the runner's service: %w; install rolecall by its package, or by make install", err)
	}
	plan.Files = append(plan.Files, File{Path: p.DropIn, Mode: 0o644, Content: content})
	return nil
}

// fresh drops the files that are there already as they would be written. It fails if one is
// there that is different: nothing is overwritten.
func (p *Plan) fresh() error {
	var taken []error
	var files []File
	for _, f := range p.Files {
		now, err := os.ReadFile(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist), f.old != nil:
			files = append(files, f)
		case err != nil:
			taken = append(taken, err)
		case !bytes.Equal(now, f.Content):
			taken = append(taken, fmt.Errorf("%s is there already, and is never overwritten: edit it, or move it away", f.Path))
		}
	}
	p.Files = files
	return errors.Join(taken...)
}
