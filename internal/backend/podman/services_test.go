package podman_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/test/kit"
)

// web returns a service that answers on a port after a moment.
func web(port, text string, aliases ...string) backend.Service {
	return backend.Service{
		Image:     backend.Image{Name: image, Policies: []backend.PullPolicy{backend.Never}},
		Aliases:   aliases,
		Command:   []string{"sh", "-c", "mkdir /w; echo \"$TEXT\" > /w/index.html; sleep 0.4; exec httpd -f -p " + port + " -h /w"},
		Variables: []string{"HEALTHCHECK_TCP_PORT=" + port, "TEXT=" + text},
	}
}

// withServices gives a job services.
func withServices(network string, services ...backend.Service) func(*backend.Spec) {
	return func(s *backend.Spec) {
		s.Containers.Engine.Network, s.Containers.Engine.WaitForServices = network, 5*time.Second
		s.Containers.Services = services
	}
}

// TestServices: a job reaches its services by their aliases in all its stages, and nobody
// else does. Nothing of them is left.
func TestServices(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "services in containers") {
		return
	}
	for _, network := range []string{"none", "host"} {
		p := newJob(t, 4718, withServices(network, web("80", "one $X", "db", "data__base"), web("8080", "two", "cache"))).withImage()
		begin := time.Now()
		kit.Must(t, p.build())
		t.Logf("%s: built in %v, warned %q", network, time.Since(begin), p.warned)
		const script = "wget -q -O - http://db; wget -q -O - http://data__base; wget -q -O - http://cache:8080"
		if o := p.run("build_script", script, nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "one $X\none $X\ntwo\n") {
			t.Errorf("%s: %+v", network, o)
		}
		if o := p.run("build_script", `trap "" TERM; touch /root/kept; sleep 4718; sleep 4718`, func(s *step) { s.After = time.Second }); o.Code != 137 {
			t.Errorf("%s, stopped: %+v", network, o)
		}
		if o := p.run("after_script", "cat /root/kept; "+script, nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "one $X\n") {
			t.Errorf("%s: after_script: %+v", network, o)
		}
		kit.Must(t, p.reap())
		if left := p.living(); len(left) > 0 {
			t.Errorf("%s: processes are left: %v", network, left)
		}
		if mounts, err := os.ReadFile("/proc/self/mounts"); err != nil || strings.Contains(string(mounts), p.dir) {
			t.Errorf("%s: mounts are left: %s %v", network, mounts, err)
		}
	}
}

// TestSilentService: a service that does not listen in time is a warning with the end of its
// log, and the job runs.
func TestSilentService(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "services in containers") {
		return
	}
	silent := web("80", "")
	silent.Command = []string{"sh", "-c", "for i in $(seq 60); do echo line $i; done; echo why >&2; sleep 1000"}
	crashed := web("81", "")
	crashed.Command = []string{"sh", "-c", "echo crashed; exit 3"}
	change := withServices("none", silent, crashed)
	p := newJob(t, 4719, func(s *backend.Spec) { change(s); s.Containers.Engine.WaitForServices = time.Second }).withImage()
	kit.Must(t, p.build())
	all := strings.Join(p.warned, "\n")
	for _, want := range []string{"service " + image + " does not listen on port 80: not in time; its log ends with:\n  line 12\n", "line 60\n  why", "port 81", "\n  crashed"} {
		if !strings.Contains(all, want) {
			t.Errorf("warned %q, want %q", all, want)
		}
	}
	if o := p.run("build_script", "echo hi", nil); o.Code != 0 {
		t.Errorf("%+v", o)
	}
	kit.Must(t, p.reap())
}
