package podman_test

import (
	"archive/tar"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"rolecall/internal/backend"
	"rolecall/internal/fault"
	"rolecall/test/kit"
	"rolecall/test/lab"
)

// odd is an image that was made badly, or with bad intent, and what becomes of a job that
// wants to run in it.
type odd struct {
	config v1.Config
	files  []lab.ImageFile // beside those of busybox, or in their place
	bare   bool            // without those of busybox
	start  time.Duration   // bounds how long podman may take; 0: as always

	script string // in addition
	out    string // of the script
	err    string // of Build or Run
	code   fault.Code
}

// oddSecret is a secret of the job.
const oddSecret = "wJalrXUtnFEMIKMDENGbPxRfiCYEXAMPLEKEY4243"

// wellIn is what a script prints that has its credentials and no others, can write to the
// work tree, and can gain no rights.
const wellIn = "has the key\nhas the file\nprofile <>\nx\nNoNewPrivs:\t1\n"

// look is a script that looks at all of that.
func (p *placed) look(file string) string {
	return `[ "$AWS_SECRET_ACCESS_KEY" = ` + oddSecret + ` ] && echo "has the key"; grep -q ` + oddSecret + ` ` + file + ` && echo "has the file"
echo "profile <$AWS_PROFILE>"; cd ` + p.slot() + ` && echo x > f && cat f; grep NoNewPrivs /proc/self/status
`
}

// content returns the files of the image.
func (o odd) content(t *testing.T) []lab.ImageFile {
	t.Helper()
	if o.bare {
		return o.files
	}
	all, err := lab.BusyboxFiles()
	kit.Must(t, err)
	replaced := func(f lab.ImageFile) bool {
		return slices.ContainsFunc(o.files, func(own lab.ImageFile) bool {
			return strings.HasPrefix(f.Path+"/", strings.TrimSuffix(own.Path, "/")+"/") || own.Link == "" && own.Path == f.Path
		})
	}
	return append(slices.DeleteFunc(all, replaced), o.files...)
}

// push pushes the image, in which SLOT and SECRETS are folders of the job.
func (o odd) push(t *testing.T, r *lab.Registry, p *placed, name string) {
	t.Helper()
	folders, volumes := strings.NewReplacer("SLOT", p.slot(), "SECRETS", p.order.Secrets), map[string]struct{}{}
	for path := range o.config.Volumes {
		volumes[folders.Replace(path)] = struct{}{}
	}
	o.config.Volumes = volumes
	image, err := lab.NewImage(o.config, o.content(t)...)
	kit.Must(t, err)
	digest, err := r.Push(t.Context(), name, image)
	kit.Must(t, err)
	p.order.Resolve = func(context.Context, backend.Image) (string, error) { return digest, nil }
}

// try builds and runs a job in the image, and ends it.
func (o odd) try(t *testing.T, r *lab.Registry, what string) {
	t.Helper()
	name := "odd/" + strings.ToLower(strings.NewReplacer(" ", "-", ",", "").Replace(what)) + ":1"
	p := newJob(t, unique(4760), func(s *backend.Spec) {
		s.Containers.Image = backend.Image{Name: r.Name(name), Policies: []backend.PullPolicy{backend.Always}}
	})
	p.start = o.start
	o.push(t, r, p, name)
	file := filepath.Join(p.order.Secrets, ".aws.alpha.env")
	kit.Must(t, os.MkdirAll(p.order.Secrets, 0o711))
	kit.Must(t, os.WriteFile(file, []byte("AWS_SECRET_ACCESS_KEY="+oddSecret+"\n"), 0o600))
	begin, did, err := time.Now(), outcome{}, p.build()
	if err != nil {
		did = outcome{Err: err.Error(), FaultCode: string(fault.CodeOf(err))}
	} else {
		did = p.run("build_script", p.look(file)+o.script, func(s *step) {
			s.Unset, s.Set, s.Files, s.Start = []string{"AWS_*"}, []string{"AWS_SECRET_ACCESS_KEY=" + oddSecret}, []string{file}, o.start
		})
	}
	t.Logf("%s: %v", what, time.Since(begin).Round(time.Millisecond))
	if o.err == "" && (did.Err != "" || did.Code != 0 || !strings.HasPrefix(did.stdout, wellIn+o.out)) {
		t.Errorf("%s: %+v, want %q", what, did, wellIn+o.out)
	}
	if o.err != "" && (!strings.HasPrefix(did.Err, o.err) || did.FaultCode != string(o.code) || strings.Contains(did.stdout, "has the key")) {
		t.Errorf("%s: %+v, want %s %q", what, did, o.code, o.err)
	}
	kit.Must(t, p.reap())
	p.checkNothing(what)
}

// tryAll tries images.
func tryAll(t *testing.T, all map[string]odd) {
	t.Helper()
	r := newRegistry(t)
	for what, o := range all {
		o.try(t, r, what)
	}
}

// Files of images.
func link(path, to string) lab.ImageFile {
	return lab.ImageFile{Path: path, Link: to, Type: tar.TypeSymlink}
}
func pipe(path string) lab.ImageFile { return lab.ImageFile{Path: path, Type: tar.TypeFifo} }

// many returns texts of that form.
func many(n int, form string) []string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf(form, i))
	}
	return all
}

// setOf returns texts as a set.
func setOf(all ...string) map[string]struct{} {
	set := map[string]struct{}{}
	for _, text := range all {
		set[text] = struct{}{}
	}
	return set
}

// TestOddFiles: what an image has of odd files gives a script no rights, and reaches nothing
// of the host.
func TestOddFiles(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "odd images") {
		return
	}
	id, err := lab.HostFiles("/usr/bin/id")
	kit.Must(t, err)
	id[len(id)-1].Mode = 0o4755
	out := fmt.Sprintf("tmp/out-of-image-%d", os.Getpid())
	tryAll(t, map[string]odd{
		"devices": {
			files:  []lab.ImageFile{{Path: "evil", Type: tar.TypeChar}, {Path: "dev/evil", Type: tar.TypeBlock}},
			script: "ls /evil /dev/evil 2>/dev/null; echo end", out: "end\n",
		},
		"pipes":         {files: []lab.ImageFile{pipe("etc/hosts"), pipe("etc/resolv.conf"), pipe("etc/hostname"), pipe("etc/mtab"), pipe("run/.containerenv"), pipe("dev/init"), pipe("run/podman-init")}},
		"setuid":        {files: id, config: v1.Config{User: "app"}, script: "/usr/bin/id -u", out: "1000\n"},
		"hard link out": {files: []lab.ImageFile{{Path: "evil", Link: "../../../../../../etc/passwd", Type: tar.TypeLink}}, script: "grep -c . /evil", out: "2\n"},
		"hard links":    {files: []lab.ImageFile{{Path: "bin/hard", Link: "bin/busybox", Type: tar.TypeLink}}, script: "[ /bin/hard -ef /bin/busybox ] && echo hard", out: "hard\n"},
		"paths":         {files: []lab.ImageFile{{Path: "../../../../../../../" + out}, {Path: "/absolute", Content: "y"}}, script: "cat /absolute", out: "y"},
		"links":         {files: []lab.ImageFile{link("run", "/etc"), link("builds", "/proc"), link("srv", "../../../../../root"), link("dev/null", "/etc/passwd")}},
		"users in proc": {files: []lab.ImageFile{link("etc/passwd", "/proc/self/environ"), link("etc/group", "/proc/1/environ")}},
		"volumes":       {config: v1.Config{Volumes: setOf("SLOT", "SLOT/below", "SECRETS", "/run", "/etc", "/bin", "relative/../..x")}},
		"a folder":      {config: v1.Config{WorkingDir: "/none/../such/../../x"}, script: "cd / && pwd", out: "/\n"},
	})
	if _, err := os.Lstat("/" + out); err == nil {
		t.Errorf("a file of an image is on the host: /%s", out)
	}
}

// TestOddConfigs: what the configuration of an image says is not who a script is, and breaks
// no script.
func TestOddConfigs(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "odd images") {
		return
	}
	bash, err := lab.HostFiles("/bin/bash")
	kit.Must(t, err)
	env := func(all ...string) v1.Config { return v1.Config{Env: append(all, "AWS_PROFILE=evil", "PATH=/bin")} }
	large := env(many(3000, "AWS_VARIABLE_%d="+strings.Repeat("x", 400))...)
	large.User = "app"
	tryAll(t, map[string]odd{
		"variables of AWS":    {config: env("AWS_SECRET_ACCESS_KEY=evil", "AWS_SESSION_TOKEN=evil", "AWS_X\nY=1")},
		"variables of shells": {config: env("BASH_ENV=/none", "ENV=/none", "SHELLOPTS=noexec", "LD_PRELOAD=/none.so", "PROMPT_COMMAND=exit 3", "PS4=$(exit 3)", "IFS=A", "rolecall_seen=1")},
		"options of bash":     {config: env("SHELLOPTS=keyword:xtrace:verbose:noclobber:nounset", "BASH_ENV=/none"), files: bash},
		"posix":               {config: env("POSIXLY_CORRECT=1", "SHELLOPTS=errexit"), files: bash},
		"a large environment": {config: large, script: "env | grep -c AWS_VARIABLE; :", out: "0\n"},
		"many ports":          {config: v1.Config{User: "app", ExposedPorts: setOf(many(60_000, "%d/tcp")...)}, script: "id -u", out: "1000\n"},
		"signals":             {config: v1.Config{StopSignal: "SIGNONE", Cmd: []string{"x"}, Shell: []string{"/none"}, Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/none"}}}},
		"many variables":      {config: v1.Config{Env: many(10_000, "VARIABLE_%d=x")}, script: "env | grep -c VARIABLE_", out: "10000\n"},
		"root with a group":   {config: v1.Config{User: "0:0"}, script: "id -u", out: "0\n"},
		"the last user":       {config: v1.Config{User: "65535"}, script: "id -u", out: "65535\n"},
	})
}

// TestUnfitImages: what is wrong with an image is told, and no exit code is made up.
func TestUnfitImages(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "odd images") {
		return
	}
	sh := func(content string) []lab.ImageFile { return []lab.ImageFile{{Path: "bin/sh", Content: content}} }
	noShell := func(code int) string {
		return fmt.Sprintf("the container ended with %d before a shell read the script", code)
	}
	const noStart, noUser = "podman did not start the container of the job", "the image cannot run as its user"
	tryAll(t, map[string]odd{
		"sh is a folder":   {files: []lab.ImageFile{{Path: "bin/sh/"}}, err: noShell(1), code: fault.ImageFails},
		"sh exits":         {files: sh("#!/bin/true\n"), err: noShell(0), code: fault.ImageFails},
		"sh reads all":     {files: sh("#!/bin/ash\ncat > /dev/null\nexit 0\n"), err: noShell(0), code: fault.ImageFails},
		"nothing":          {bare: true, err: noShell(1), code: fault.ImageFails},
		"no path":          {config: v1.Config{Env: []string{"PATH=/none"}}, err: noShell(1), code: fault.ImageFails},
		"a long command":   {config: v1.Config{Entrypoint: []string{"/bin/sh", "-c", strings.Repeat("x", 200_000)}}, err: noShell(1), code: fault.ImageFails},
		"etc in proc":      {files: []lab.ImageFile{link("etc", "/proc/self/fd")}, err: noStart, code: fault.Engine},
		"passwd folder":    {files: []lab.ImageFile{{Path: "etc/passwd/"}}, err: noStart, code: fault.Engine},
		"a volume over it": {config: v1.Config{Volumes: setOf("/")}, err: noStart, code: fault.Engine},
		"users of host":    {files: []lab.ImageFile{link("etc/passwd", "../../../../../../etc/passwd")}, config: v1.Config{User: "backup"}, err: noUser, code: fault.ImageFails},
		"another root":     {files: []lab.ImageFile{{Path: "etc/passwd", Mode: 0o644, Content: "root:x:500:500::/root:/bin/sh\n"}}, config: v1.Config{User: "root"}, err: "in the /etc/passwd of the image, its user root has the id 500", code: fault.ImageFails},
		"a large user":     {config: v1.Config{User: "4294967295"}, err: noUser, code: fault.ImageFails},
		"too large a user": {config: v1.Config{User: "65536"}, err: noUser, code: fault.ImageFails},
		"a pipe":           {files: []lab.ImageFile{pipe("etc/passwd")}, start: 3 * time.Second, err: "podman has not started the container after 3s", code: fault.Engine},
		"a pipe, a user":   {files: []lab.ImageFile{pipe("etc/passwd")}, start: 3 * time.Second, config: v1.Config{User: "app"}, err: "podman cannot look into the image: podman has not ended after 3s", code: fault.Engine},
	})
}
