package podman_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"rolecall/internal/backend"
	"rolecall/internal/backend/podman"
	"rolecall/test/kit"
)

// slot returns the folder of the job's work tree.
func (p *placed) slot() string { return p.dir + "/builds/alpha/protected/r/0/group" }

// owners returns the uids of all files below the slot and the job's own folder.
func (p *placed) owners() map[uint32]int {
	p.t.Helper()
	uids := map[uint32]int{}
	kit.Must(p.t, filepath.WalkDir(p.dir+"/builds/alpha", func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Sys().(*syscall.Stat_t).Uid != 0 {
			uids[info.Sys().(*syscall.Stat_t).Uid]++
		}
		return err
	}))
	return uids
}

// TestUsers: whatever user a script has in the container, it can write to the work tree,
// and all that it leaves there belongs to the job's user on the host.
func TestUsers(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "users of images") {
		return
	}
	for name, test := range map[string]struct {
		user    string
		changes []string
		want    string
	}{
		"root":                     {"", nil, "0 0"},
		"of the image":             {"", []string{"USER app"}, "1000 1000"},
		"of the image, by number":  {"", []string{"USER 1234:77"}, "1234 77"},
		"docker:user":              {"1000", nil, "1000 1000"},
		"docker:user is root":      {"0", []string{"USER app"}, "0 0"},
		"docker:user with a group": {"app:0", nil, "1000 0"},
	} {
		p := built(t, 4712, func(s *backend.Spec) { s.Containers.Image.User = test.user }, test.changes...)
		script := "id -u; id -g; cd " + p.slot() + " && mkdir d && echo x > d/f && ln -s /etc/passwd d/l"
		if strings.HasPrefix(test.want, "0") {
			script += " && chown -R 1000:1000 d && chmod 000 d/f"
		}
		o := p.run("build_script", script, nil)
		if want := strings.ReplaceAll(test.want, " ", "\n") + "\n"; o.Code != 0 || !strings.HasPrefix(o.stdout, want) {
			t.Errorf("%s: %+v, want %q", name, o, want)
		}
		if uids := p.owners(); len(uids) != 1 || uids[65534] == 0 {
			t.Errorf("%s: files of uids %v, want those of the job's user only", name, uids)
		}
		if o := p.run("after_script", "echo y >> "+p.slot()+"/d/g", nil); o.Code != 0 {
			t.Errorf("%s: after_script: %+v", name, o)
		}
		if info, err := os.Lstat("/etc/passwd"); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Fatalf("%s: /etc/passwd: %v, %v", name, info, err)
		}
		kit.Must(t, p.reap())
	}
}

// TestNoUser: an image whose user does not exist is the author's mistake.
func TestNoUser(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "users of images") {
		return
	}
	p := newJob(t, 4712, func(s *backend.Spec) { s.Containers.Image.User = "nobody-at-all" }).withImage()
	if err := p.build(); err == nil || !strings.Contains(err.Error(), "the image cannot run as its user") {
		t.Errorf("error %v", err)
	}
	kit.Must(t, p.reap())
}

// TestExitCodes: the job gets the exit code of its script, also one that podman uses for
// errors of its own.
func TestExitCodes(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "scripts in containers") {
		return
	}
	p := built(t, 4713, nil)
	for _, code := range []int{0, 1, 2, 124, 125, 126, 127, 128, 137, 254, 255} {
		if o := p.run("build_script", "exit "+strconv.Itoa(code), nil); o.Code != code || o.Err != "" {
			t.Errorf("exit %d: %+v", code, o)
		}
	}
	own := p.dir + "/builds/alpha/protected.own/" + p.id.String()
	for script, code := range map[string]int{
		"kill -9 $$":                            137,
		"rm -f " + own + "/.rolecall-*; exit 3": 3, // by which this process sees that the script has begun
		"for f in " + own + "/.rolecall-*; do rm $f; mkdir -p $f/x; done; exit 125": 125,
	} {
		if o := p.run("build_script", script, nil); o.Code != code || o.Err != "" {
			t.Errorf("%s: %+v, want %d", script, o, code)
		}
	}
}

// TestFlood: all that a script prints comes through as it is, whatever and however much.
func TestFlood(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "scripts in containers") {
		return
	}
	p := built(t, 4724, nil)
	const size = 50 << 20
	o := p.run("build_script", fmt.Sprintf(`head -c %d /dev/zero | tr '\000' '\377'; printf 'end\r\0' >&2; exit 7`, size), nil)
	out := strings.TrimSuffix(o.stdout, "PASS\n")
	if o.Code != 7 || o.Err != "" || len(out) != size || strings.Count(out, "\xff") != size || !strings.HasPrefix(o.stderr, "end\r\x00") {
		t.Errorf("code %d, error %q, %d bytes, stderr %q; want %d bytes", o.Code, o.Err, len(out), o.stderr, size)
	}
}

// TestStartsNoShell: an image in which no shell starts is the author's mistake, whatever the
// exit code.
func TestStartsNoShell(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images") {
		return
	}
	for entry, code := range map[string]int{`["/bin/true"]`: 0, `["/bin/false"]`: 1, `["/bin/sh", "-c", "exit 252"]`: 252, `["/none/such"]`: 1} {
		p := built(t, 4714, nil, "ENTRYPOINT "+entry)
		o := p.run("build_script", "echo no", nil)
		if want := fmt.Sprintf("the container ended with %d before a shell read the script", code); !strings.Contains(o.Err, want) {
			t.Errorf("%s: %+v, want %q", entry, o, want)
		}
		kit.Must(t, p.reap())
		p = built(t, 4714, func(s *backend.Spec) { s.Containers.Image.HasEntry, s.Containers.Image.Entrypoint = true, []string{""} }, "ENTRYPOINT "+entry)
		if o := p.run("build_script", "echo yes", nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "yes\n") {
			t.Errorf("%s, replaced by nothing: %+v", entry, o)
		}
		kit.Must(t, p.reap())
	}
	p := built(t, 4714, func(s *backend.Spec) {
		s.Containers.Image.HasEntry, s.Containers.Image.Entrypoint = true, []string{"/usr/bin/env", "A=b"}
	})
	if o := p.run("build_script", `echo "a $A"`, nil); !strings.HasPrefix(o.stdout, "a b\n") {
		t.Errorf("an entrypoint with an argument: %+v", o)
	}
}

// TestImageSays: an image cannot say who the script is in a cloud.
func TestImageSays(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "images") {
		return
	}
	p := built(t, 4715, nil, "ENV AWS_PROFILE=evil", "ENV AWS_REGION=evil", "ENV KEPT=kept", `ENV ODD="a\nAWS_X=1"`)
	o := p.run("build_script", `echo "<$AWS_PROFILE$AWS_X> $AWS_REGION $KEPT"`, func(s *step) {
		s.Unset, s.Set = []string{"AWS_*", "ROLECALL_*"}, []string{"AWS_REGION=mine"}
	})
	if !strings.HasPrefix(o.stdout, "<> mine kept\n") {
		t.Errorf("%+v", o)
	}
}

// TestStopped: a stage that is stopped lets the script end, and leaves no process. The next
// stage has the files of the container.
func TestStopped(t *testing.T) {
	if isStep(t) || !kit.InUnified(t, "scripts in containers") {
		return
	}
	p := built(t, 4716, nil)
	const storm = `touch /root/kept; trap "" TERM; (while :; do (sleep 4716 &); sleep 0.05; done) & sleep 4716; sleep 4716`
	for name, test := range map[string]struct {
		script string
		code   int
	}{
		"it ends":      {`touch /root/kept; trap "echo ended; exit 3" TERM; while :; do sleep 0.1; done`, 3},
		"all get TERM": {`touch /root/kept; sh -c 'trap "exit 4" TERM; while :; do sleep 0.1; done'; exit $?`, 143},
		"ignores TERM": {storm, 137},
	} {
		begin := time.Now()
		o := p.run("build_script", test.script, func(s *step) { s.After = 1500 * time.Millisecond })
		if took := time.Since(begin); o.Code != test.code || o.Err != "" || took > 10*time.Second {
			t.Errorf("%s: %+v after %v, want code %d", name, o, took, test.code)
		}
		if left, _ := exec.Command("pgrep", "-f", "sleep 4716").Output(); len(left) > 0 {
			t.Errorf("%s: processes are left: %s", name, left)
		}
		if o := p.run("after_script", "ls /root", nil); o.Code != 0 || !strings.HasPrefix(o.stdout, "kept\n") {
			t.Errorf("%s: after_script: %+v", name, o)
		}
	}
}

// podmanBegan reports whether the script has begun.
func podmanBegan(p *placed) bool {
	_, err := os.Stat(p.slot() + "/began")
	return err == nil
}

// living returns the ids of the processes of the job that are not dead, by what they are
// called. They are in a cgroup of the job, or name one of its folders.
func (p *placed) living() map[string]string {
	p.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	kit.Must(p.t, err)
	left := map[string]string{}
	for _, dir := range all {
		group, _ := os.ReadFile(dir + "/cgroup")
		command, _ := os.ReadFile(dir + "/cmdline") // of a dead process: nothing
		its := strings.Contains(string(group), filepath.Base(podman.DirOf(p.data))) || strings.Contains(string(command), p.dir+"/") ||
			p.id > 10_000_000 && strings.Contains(string(group), "rolecall-"+p.id.String()+"-") // what lasts has a group of its own
		if name, err := os.ReadFile(dir + "/comm"); its && len(command) > 0 && err == nil {
			left[strings.TrimSpace(string(name))] = filepath.Base(dir)
		}
	}
	return left
}
