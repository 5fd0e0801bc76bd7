package podman_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rolecall/internal/backend"
	"rolecall/internal/backend/host"
	"rolecall/internal/backend/podman"
	"rolecall/internal/fault"
	"rolecall/test/kit"
)

// TestLabels: where SELinux is on, it must not separate a container from the folders that it
// shares with the host. Podman accepts the option where it is off.
func TestLabels(t *testing.T) {
	t.Parallel()
	args := podman.CreateArgs(backend.Limits{})
	if !slices.Contains(args, "--security-opt=label=disable") {
		t.Errorf("arguments %q", args)
	}
	for _, arg := range args {
		if strings.HasPrefix(arg, "--volume=") && strings.Count(arg, ":") != 1 {
			t.Errorf("%s relabels files of the host", arg)
		}
	}
}

// TestCgroup: a host whose cgroups are not those of version 2 is named, with what to do.
func TestCgroup(t *testing.T) {
	t.Parallel()
	for mount, want := range map[string]string{t.TempDir(): "cgroups of version 1", "/none": "no cgroups: /none: no such file"} {
		err := podman.CheckCgroup(mount)
		if err == nil || !strings.Contains(err.Error(), want) || fault.CodeOf(err) != fault.NoContainers {
			t.Errorf("%s: %v, want %q", mount, err, want)
		}
	}
}

// TestInstall: advice names packages of Debian.
func TestInstall(t *testing.T) {
	t.Parallel()
	want := "apt-get install podman crun catatonit slirp4netns util-linux iproute2"
	if got := podman.Install(podman.Programs(true, "host")); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestUnfitHost: a host that lacks a program, and a job without a unix user, are the admin's.
func TestUnfitHost(t *testing.T) {
	if !kit.InUnified(t, "containers") {
		return
	}
	few := t.TempDir() // what podman and crun are is not asked
	for _, name := range []string{"podman", "crun"} {
		kit.Must(t, os.Symlink("/bin/true", filepath.Join(few, name)))
	}
	services := func(s *backend.Spec) { s.Containers.Services = []backend.Service{{}} }
	for name, test := range map[string]struct {
		path   string
		change func(*backend.Spec)
		want   string
		code   fault.Code
	}{
		"nothing installed":          {t.TempDir(), func(*backend.Spec) {}, "it lacks podman, crun; run on the runner's host\napt-get install podman crun", fault.NoContainers},
		"no programs of services":    {few, services, "it lacks slirp4netns, nsenter, ip;", fault.NoContainers},
		"services without a network": {few, func(s *backend.Spec) { services(s); s.Containers.Engine.Network = "none" }, "it lacks nsenter, ip;", fault.NoContainers},
		"no services":                {few, func(*backend.Spec) {}, "", ""},
		"no user":                    {few, func(s *backend.Spec) { s.RunAs, s.AsRoot = "", true }, "no unix user", fault.RootContainer},
	} {
		t.Setenv("PATH", test.path)
		dir := kit.OpenDir(t)
		kit.Must(t, os.Chmod(dir, 0o755))
		spec := specOf(dir, 4720)
		test.change(&spec)
		_, _, err := podman.New(host.New()).Place(t.Context(), spec)
		if test.want == "" {
			kit.Must(t, err)
		} else if err == nil || !strings.Contains(err.Error(), test.want) || fault.CodeOf(err) != test.code {
			t.Errorf("%s: %v, want %s %q", name, err, test.code, test.want)
		}
	}
}

// TestPaths: a path that podman would read as two, or as an option, is refused: of the author's
// choice, or of the admin's.
func TestPaths(t *testing.T) {
	if !kit.InUnified(t, "containers") {
		return
	}
	for name, test := range map[string]struct {
		change func(s *backend.Spec, odd string)
		code   fault.Code
	}{
		"the work tree": {func(s *backend.Spec, odd string) { s.TempProject = s.BuildsDir + "/alpha/" + odd + "/project.tmp" }, fault.BadVariable},
		"images_dir":    {func(s *backend.Spec, odd string) { s.Containers.Engine.ImagesDir += odd }, fault.NoContainers},
		"the state":     {func(s *backend.Spec, odd string) { s.Store += odd }, fault.NoContainers},
	} {
		for _, odd := range []string{"a:/etc", "a,upperdir=x", `a"b`, `a\b`} {
			dir := kit.OpenDir(t)
			kit.Must(t, os.Chmod(dir, 0o755))
			spec := specOf(dir, 4721)
			test.change(&spec, odd)
			_, _, err := podman.New(host.New()).Place(t.Context(), spec)
			if fault.CodeOf(err) != test.code || len(fault.Rows(err)) != 1 || !strings.Contains(fault.Rows(err)[0].Text, odd) {
				t.Errorf("%s, %s: %v, want %s and the folder", name, odd, err, test.code)
			}
			if _, err := os.Stat(dir + "/images/.ids"); err == nil {
				t.Errorf("%s, %s: folders are made", name, odd)
			}
		}
	}
}
