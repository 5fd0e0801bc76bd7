package podman_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// attempts are what another tenant tries on a job whose script runs: on its folders, its
// cgroups and each of its processes.
func (p *placed) attempts() map[string][]string {
	dir := podman.DirOf(p.data)
	all := map[string][]string{
		"the engine root":    {"ls", dir + "/root"},
		"the folders of all": {"ls", dir},
		"the store":          {"ls", p.images() + "/alpha/protected"},
		"files of the store": {"ls", p.images() + "/alpha/protected/overlay"},
		"other stores":       {"ls", p.images()},
		"a file of the root": {"touch", dir + "/root/planted"},
		"the folder itself":  {"rm", "-r", dir},
		"the own folder":     {"ls", p.dir + "/builds/alpha/protected.own/" + p.id.String()},
		"the work tree":      {"ls", p.slot()},
		"what is noted":      {"cat", dir + "/container.json"},
		"the note":           {"cat", dir + "/job.json"},
		"the ids":            {"ln", "-s", "34", p.images() + "/.ids/1"},
	}
	for _, group := range p.groups() {
		all["a way into "+filepath.Base(group)] = []string{"sh", "-c", "echo $$ > " + group + "/cgroup.procs"}
		all["the end of "+filepath.Base(group)] = []string{"sh", "-c", "echo 1 > " + group + "/cgroup.kill"}
	}
	for name, pid := range p.living() {
		proc := "/proc/" + pid
		all["a signal to "+name] = []string{"kill", "-0", pid}
		all["the environment of "+name] = []string{"cat", proc + "/environ"}
		all["the memory of "+name] = []string{"sh", "-c", ": < " + proc + "/mem"} // as ptrace has it
		all["the files of "+name] = []string{"ls", proc + "/root/"}
		all["the descriptors of "+name] = []string{"ls", proc + "/fd"}
		for _, kind := range []string{"user", "mount", "net", "pid"} {
			all["the namespace "+kind+" of "+name] = []string{"nsenter", "--target", pid, "--" + kind, "true"}
		}
	}
	return all
}

// groups are the cgroups of the job.
func (p *placed) groups() []string {
	var found []string
	_ = filepath.WalkDir(podman.CgroupDir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), "rolecall-"+p.id.String()+"-") {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// TestNeighbours: the user of another tenant can neither read what a job with an image has
// on the host, nor reach its processes: not as that user, nor as the root of the containers of
// that user.
func TestNeighbours(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "users of other tenants") {
		return
	}
	p := newJob(t, unique(4732), withServices("none", web("80", "one", "db"))).withImage()
	kit.Must(t, p.build())
	t.Cleanup(func() { _ = p.reap() })
	done := make(chan outcome, 1)
	go func() {
		done <- p.run("build_script", "touch "+p.slot()+"/began; until [ -e "+p.slot()+"/end ]; do sleep 0.1; done", func(s *step) { s.After = time.Minute })
	}()
	kit.Await(t, "the script begins", func() bool { return podmanBegan(p) || len(done) > 0 })
	attempts := p.attempts()
	if len(p.living()) < 5 || len(p.groups()) < 2 {
		t.Errorf("processes %v, cgroups %v: want podman, conmon, the script and the service too", p.living(), p.groups())
	}
	other := newJobIn(t, p.dir, unique(4733), ofBeta)
	for what, command := range attempts {
		out, err := exec.Command("setpriv", append([]string{"--reuid=backup", "--regid=backup", "--clear-groups"}, command...)...).CombinedOutput()
		if err == nil {
			t.Errorf("another tenant's user gets %s: %s", what, strconv.Quote(string(out)))
		}
		if _, err := other.tool(command...); err == nil {
			t.Errorf("the root of another tenant's containers gets %s", what)
		}
	}
	if who, err := other.tool("id", "-u"); err != nil || who != "0" {
		t.Errorf("the root of another tenant's containers is %q: %v", who, err)
	}
	kit.Must(t, os.WriteFile(p.slot()+"/end", nil, 0o600))
	if o := <-done; o.Code != 0 || o.Err != "" {
		t.Errorf("the script: %+v", o)
	}
	kit.Must(t, p.reap())
}

// ofBeta makes a job one of another tenant on the same host.
func ofBeta(s *backend.Spec) {
	s.Folder, s.RunAs, s.TempProject = "beta/protected", "backup", s.BuildsDir+"/beta/protected/r/0/group/project.tmp"
}

// tool runs a program as the root of the containers of the job, and returns what it prints.
func (p *placed) tool(args ...string) (said string, err error) {
	err = apart(func() error {
		var err error
		said, err = podman.New(host.New()).Tool(p.t.Context(), p.data, args...)
		return err
	})
	return said, err
}

// TestImageOfNeighbour: what one tenant has pulled is not there for another, whatever the pull
// policy.
func TestImageOfNeighbour(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images of other tenants") {
		return
	}
	p := built(t, unique(4734), nil)
	for _, folder := range []string{"beta/protected", "alpha/unprotected"} {
		other := newJobIn(t, p.dir, unique(4735), func(s *backend.Spec) {
			ofBeta(s)
			s.Folder = folder
			s.TempProject = s.BuildsDir + "/" + folder + "/r/0/group/project.tmp"
		})
		if err := other.build(); fault.CodeOf(err) != fault.ImageAbsent {
			t.Errorf("%s: %v, want an image that is absent", folder, err)
		}
		kit.Must(t, other.reap())
	}
}
